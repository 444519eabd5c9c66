"""What can go wrong for a user. Every message says what came, what was expected and what to do."""

import errno


class DeepSegError(Exception):
    """Base of all errors that are shown to a user as one sentence, without a traceback."""


class VolumeError(DeepSegError):
    """An image that cannot be read or used as a volume."""


class RegionError(DeepSegError):
    """A region of interest that is empty or lies outside the volume."""


class ModelError(DeepSegError):
    """A model that is missing, damaged, unknown or made for something else."""


class NotFiniteError(ModelError):
    """A network whose output is NaN or infinite: its weights are damaged, or its training diverged."""


class OutputError(DeepSegError):
    """A result that cannot be written where it was asked for."""


class UncertaintyError(DeepSegError):
    """An uncertainty request that the model or the data cannot satisfy."""


class ExplanationError(DeepSegError):
    """An explanation request that the model or the image cannot satisfy."""


class Cancelled(DeepSegError):
    """The user stopped the run."""


class DeviceError(DeepSegError):
    """A device that was chosen for a run and is not there, or cannot be used."""


class MemoryLimitError(DeepSegError):
    """The computer has too little memory for what was asked."""


class PrecisionError(DeepSegError):
    """Numbers too large for the half precision a network was run in."""


_SHORTAGE = ("allocate memory", "out of memory", "not enough memory", "bad_alloc", "alloc_failed")
"""Words of PyTorch's allocators, whose errors for the processor and for Apple's GPU have no type of their own."""


def is_shortage(error: BaseException) -> bool:
    """Whether an error means that there was not enough memory."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _SHORTAGE)
