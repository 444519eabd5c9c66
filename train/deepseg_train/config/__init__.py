"""The training config: one YAML file, checked before anything is read or computed."""

from deepseg_train.config.train_config import TrainConfig, load_config, parse_config

__all__ = ["TrainConfig", "load_config", "parse_config"]
