"""What can go wrong for a user. Every message says what came, what was expected and what to do."""


class DeepSegError(Exception):
    """Base of all errors that are shown to a user as one sentence, without a traceback."""


class VolumeError(DeepSegError):
    """An image that cannot be read or used as a volume."""


class RegionError(DeepSegError):
    """A region of interest that is empty or lies outside the volume."""


class ModelError(DeepSegError):
    """A model that is missing, damaged, unknown or made for something else."""


class OutputError(DeepSegError):
    """A result that cannot be written where it was asked for."""


class Cancelled(DeepSegError):
    """The user stopped the run."""


class MemoryLimitError(DeepSegError):
    """The computer has too little memory for what was asked."""


class PrecisionError(DeepSegError):
    """Numbers too large for the half precision a network was run in."""
