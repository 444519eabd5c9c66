"""What ITK says when something is wrong: the telling part for our messages, nothing on the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = re.compile(r"^(?:itk::|ITK |sitk::)ERROR: (?:\w+\(0x[0-9a-f]+\): )?")


def names_undecoded(path: Path) -> bool:
    """Whether a path is not in UTF-8; ITK takes no other, and ends the process when it is given one."""
    return bool(re.search(r"[\ud800-\udfff]", str(path)))


def telling_line(error: Exception) -> str:
    """The line of an ITK message that says what happened; it comes after file names and before a 'Reason' that is often a left-over."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if "Unable to determine ImageIO" in str(error):
        return "its content is in no known image format"
    told = [line for line in lines if not line.startswith("Reason:")] or lines
    return _PREFIX.sub("", told[-1]).rstrip(".") if told else type(error).__name__


@contextmanager
def quiet_itk() -> Iterator[None]:
    """Keep ITK's warnings off the terminal; what matters to a user is raised as an error."""
    import SimpleITK as sitk

    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)
