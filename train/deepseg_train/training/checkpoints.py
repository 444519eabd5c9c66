"""Checkpoints of a run that may be moved before it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import ModelCheckpoint

_PATHS = ("best_model_path", "kth_best_model_path", "last_model_path")


class KeptWeights(ModelCheckpoint):
    """Goes on knowing the best weights where the run's folder was renamed or moved; Lightning forgets them, and overwrites them with worse ones."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the paths in a checkpoint for those of the same names in the folder where it lies now."""

        def here(path: str) -> str:
            return str(Path(self.dirpath) / Path(path).name) if path else path

        best = {here(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, "dirpath": self.dirpath, **{key: here(state_dict[key]) for key in _PATHS}, "best_k_models": best})
