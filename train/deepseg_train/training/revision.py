"""The git revision of the code that a run is made with."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

UNKNOWN = "unknown: deepseg-train is installed from files of which no git checkout is known"


def revision_of(package: Path, installed_from: dict[str, Any] | None = None) -> str:
    """The revision of a package's folder, as `git describe` tells it, with '-dirty' where files were changed since; `UNKNOWN` where there is none.

    Args:
        package: the folder; where it lies in a checkout, it counts only if that tracks it: an environment may lie in somebody else's.
        installed_from: where `pip` says it was installed from (`direct_url.json`, PEP 610). A local folder counts while its files are those that
            were installed.
    """
    if found := _described(package):
        return found
    told = installed_from or {}
    if commit := told.get("vcs_info", {}).get("commit_id"):
        return str(commit)[:12]
    url = urlsplit(told.get("url", ""))
    if url.scheme == "file":
        source = Path(url2pathname(url.path)) / package.name
        if _same_code(package, source):
            return _described(source) or UNKNOWN
    return UNKNOWN


def direct_url(distribution: Distribution) -> dict[str, Any] | None:
    """What `pip` has recorded of where a distribution came from; None where it came from an index."""
    text = distribution.read_text("direct_url.json")
    return json.loads(text) if text else None


def _described(folder: Path) -> str:
    tracked = _git(folder, "ls-files", "__init__.py")
    return _git(folder, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*") if tracked else ""


def _git(folder: Path, *asked: str) -> str:
    try:
        return subprocess.run(["git", "-C", str(folder), *asked], capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def _same_code(one: Path, other: Path) -> bool:
    """Whether two folders hold the same Python files."""
    files = [{path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.py")} for folder in (one, other)]
    return files[0] == files[1]
