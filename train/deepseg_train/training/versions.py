"""With what a run is made: packages, code, and the machine as far as results depend on it."""

from __future__ import annotations

import platform
from importlib.metadata import distribution, version
from pathlib import Path

import torch

import deepseg_train
from deepseg.fast_network import fast_precision
from deepseg_train.training.revision import direct_url, revision_of

_PACKAGES = ("torch", "monai", "lightning", "numpy", "SimpleITK", "deepseg", "deepseg-train")


def versions() -> dict[str, str]:
    """Of Python and the packages that matter, the git revision of the code, the device and its threads."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{platform.machine()} processor, {torch.get_num_threads()} threads"
    revision = revision_of(Path(deepseg_train.__file__).resolve().parent, direct_url(distribution("deepseg-train")))
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}, "device": device, "git": revision}


def fastest_precision() -> str:
    """Lightning's name of the number type that this machine's device trains fastest in."""
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    return "bf16-mixed" if fast_precision(torch.device("cpu")) == "bfloat16" else "32-true"
