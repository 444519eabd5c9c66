"""The command `deepseg-train`; each of its commands is a file in `deepseg_train.commands`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from importlib.metadata import version

from deepseg import api

COMMANDS = ("check", "plan", "split", "fit", "search", "reproduce", "export", "calibrate", "evaluate", "compare", "shift", "variants")
BAD_INPUT = 2
_GO_ON = ("fit", "search")
"""Commands that go on where they were stopped."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 2 for errors the user can fix."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except api.DeepSegError as error:
        print(f"deepseg-train: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print(f"deepseg-train: stopped{'; the same command goes on' if options.command in _GO_ON else ''}.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("deepseg-train", description="Train, evaluate and export models for DeepSeg.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('deepseg-train')}, deepseg {api.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name in COMMANDS:
        importlib.import_module(f"deepseg_train.commands.{name}").add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
