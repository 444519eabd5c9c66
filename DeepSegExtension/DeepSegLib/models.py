"""The models a panel offers: shipped with DeepSeg, imported by the user, and those in folders the user added.

Their files are checked when a run opens them, not here.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deepseg.api import ModelCard, ModelError, describe_model, list_models
from DeepSegLib.settings import Settings, own_models
from DeepSegLib.translation import _

SHIPPED, IMPORTED, ADDED = "shipped", "imported", "added"


@dataclass(frozen=True)
class InstalledModel:
    """A model, what it says of itself, and where it comes from: 'shipped', 'imported' or 'added'."""

    card: ModelCard
    folder: Path
    source: str

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def deletable(self) -> bool:
        """Only what the user imported is his alone."""
        return self.source == IMPORTED


class ModelStore:
    """Finds, adds and deletes models."""

    def __init__(self, settings: Settings, own: Path | None = None) -> None:
        """`own` is where imported models go; the user's folder for that where None."""
        self.settings = settings
        self.own = own or own_models()

    def models(self) -> list[InstalledModel]:
        """All models, those first that the user imported; of two with the same name the first.

        Raises:
            ModelError: DeepSeg's installation lacks its folder of models.
        """
        found: dict[str, InstalledModel] = {}
        places = [(self.own, IMPORTED), *((folder, ADDED) for folder in self.settings.model_folders)]
        folders = [(folder, source) for place, source in places for folder in _models_in(place)]
        folders += [(folder, SHIPPED) for folder in list_models()]
        for folder, source in folders:
            if folder.name not in found:
                found[folder.name] = InstalledModel(describe_model(folder), folder, source)
        return list(found.values())

    def find(self, name: str) -> InstalledModel:
        """The model of that name or id.

        Args:
            name: of its folder, or its id.

        Raises:
            ModelError: there is none.
        """
        models = self.models()
        fitting = [model for model in models if name in (model.name, model.card.id)]
        if not fitting:
            known = ", ".join(model.name for model in models) or _("none")
            raise ModelError(
                _("The model '{name}' is not installed here; there are: {known}. Import it, or add the folder it lies in.").format(
                    name=name, known=known
                )
            )
        return fitting[0]

    def add_folder(self, folder: Path) -> list[InstalledModel]:
        """Offer the models in a folder, too; returns them.

        Raises:
            ModelError: it holds none.
        """
        folder = folder.parent if (folder / "configs" / "metadata.json").is_file() else folder
        if not _models_in(folder):
            raise ModelError(
                _(
                    "{folder} holds no DeepSeg model: no folder in it has a file configs/metadata.json. Those of nnU-Net or MONAI can be imported."
                ).format(folder=folder)
            )
        folders = [known for known in self.settings.model_folders if known != folder]
        self.settings.model_folders = [*folders, folder]
        return [model for model in self.models() if model.folder.parent == folder]

    def forget_folder(self, folder: Path) -> None:
        """Offer the models of an added folder no longer; its files stay."""
        self.settings.model_folders = [known for known in self.settings.model_folders if known != folder]

    def delete(self, model: InstalledModel) -> None:
        """Delete the files of a model that the user imported.

        Raises:
            ModelError: it is not the user's own, or the files cannot be deleted.
        """
        if not model.deletable:
            raise ModelError(_("The model '{name}' was not imported here, so it is not deleted here.").format(name=model.name))
        try:
            shutil.rmtree(model.folder)
        except OSError as error:
            raise ModelError(
                _("The model '{name}' could not be deleted ({reason}). Close what uses it, then try again.").format(name=model.name, reason=error)
            ) from error


def size_text(size_bytes: int) -> str:
    """A size as people read it."""
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{max(size_bytes / 1e6, 0.1):.1f} MB"


def _models_in(folder: Path) -> Sequence[Path]:
    try:
        return sorted(path for path in folder.iterdir() if (path / "configs" / "metadata.json").is_file())
    except OSError:
        return []
