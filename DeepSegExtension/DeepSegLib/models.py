"""The installed models as a panel lists them. Their files are checked when a run opens them, not here."""

from __future__ import annotations

import json
from dataclasses import dataclass

from deepseg.api import list_models


@dataclass(frozen=True)
class InstalledModel:
    """A model's folder name, and what it says of itself in words for a user."""

    name: str
    title: str
    summary: str
    intended_use: str


def installed_models() -> list[InstalledModel]:
    """All installed models by name. One whose metadata cannot be read is listed by its name: the run will say what is wrong with it.

    Raises:
        ModelError: DeepSeg's installation lacks its folder of models.
    """
    found = []
    for folder in list_models():
        try:
            section = json.loads((folder / "configs" / "metadata.json").read_text(encoding="utf-8"))["deepseg"]
            model = InstalledModel(folder.name, *(str(section[key]) for key in ("title", "summary", "intended_use")))
        except (OSError, ValueError, KeyError, TypeError):
            model = InstalledModel(folder.name, folder.name, "The description of this model cannot be read.", "")
        found.append(model)
    return found
