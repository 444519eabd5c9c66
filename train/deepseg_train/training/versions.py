"""With what a run is made: packages, code, and the machine as far as results depend on it."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import torch

import deepseg_train
from deepseg.fast_network import fast_precision

_PACKAGES = ("torch", "monai", "lightning", "numpy", "SimpleITK", "deepseg", "deepseg-train")


def versions() -> dict[str, str]:
    """Of Python and the packages that matter, the git revision of the code where it is a checkout, the device and its threads."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{platform.machine()} processor, {torch.get_num_threads()} threads"
    found = {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}, "device": device}
    revision = _revision(Path(deepseg_train.__file__).resolve().parent)
    return {**found, "git": revision} if revision else found


def fastest_precision() -> str:
    """Lightning's name of the number type that this machine's device trains fastest in."""
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    return "bf16-mixed" if fast_precision(torch.device("cpu")) == "bfloat16" else "32-true"


def _revision(folder: Path) -> str:
    """Of the repository that tracks this very package; not of one that merely lies around the environment it is installed in."""

    def git(*asked: str) -> str:
        try:
            return subprocess.run(["git", "-C", str(folder), *asked], capture_output=True, text=True, check=False).stdout.strip()
        except OSError:
            return ""

    return git("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*") if git("ls-files", "__init__.py") else ""
