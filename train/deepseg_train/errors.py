"""What can be wrong with a config or a dataset; shown as one message, without a traceback."""

from deepseg.errors import DeepSegError


class ConfigError(DeepSegError):
    """A training config that does not say what it must, or says what nobody reads."""


class DatasetError(DeepSegError):
    """A dataset with problems; the message lists them all."""
