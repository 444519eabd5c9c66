"""The command `deepseg`; what it can do is in `deepseg.commands`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import SimpleITK as sitk

from deepseg import __version__, api
from deepseg.commands import batch, explain, explain_cohort, importing, models, segment

BAD_INPUT = 2
"""Exit code for errors the user can fix; the sentence on standard error says how."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, `BAD_INPUT`, 130 where it was stopped, or what a command returns."""
    options = _parser().parse_args(arguments)
    # ITK prints C++ warnings about files that are then refused with a sentence of our own.
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        return options.run(options) or 0
    except api.DeepSegError as error:
        print(f"deepseg: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt as stop:
        print(f"deepseg: {str(stop) or 'stopped; nothing was written.'}", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("deepseg", description="Segment medical volumes. For research, not for clinical use.")
    parser.add_argument("--version", action="version", version=f"deepseg {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    for command in (segment, explain, explain_cohort, batch, models, importing):
        command.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
