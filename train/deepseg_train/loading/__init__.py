"""Cases read once and kept, and batches of random patches made of them off the main process."""

from deepseg_train.loading.loader import TrainingLoader, training_loader, validation_loader
from deepseg_train.loading.prepared import PreparedCases
from deepseg_train.loading.samples import TrainingSamples

__all__ = ["PreparedCases", "TrainingLoader", "TrainingSamples", "training_loader", "validation_loader"]
