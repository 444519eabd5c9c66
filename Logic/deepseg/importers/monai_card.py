"""What is told about a model that comes from a MONAI bundle: its card and its licence, mostly in the bundle's own words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deepseg.importers.monai_metadata import UNKNOWN, text
from deepseg.spec import ModelSpec, spacing_text

_LICENCES = {
    "Apache-2.0": ("Apache License", "Version 2.0"),
    "MIT": ("Permission is hereby granted, free of charge",),
    "CC-BY-NC-SA-4.0": ("Attribution-NonCommercial-ShareAlike 4.0",),
    "CC-BY-SA-4.0": ("Attribution-ShareAlike 4.0",),
    "CC-BY-4.0": ("Attribution 4.0 International",),
    "BSD-3-Clause": ("Redistribution and use in source and binary forms", "Neither the name"),
}
"""What each of some licences says in its first words."""

_MAX_TEXT = 200_000


def licence_of(root: Path, metadata: dict[str, Any]) -> tuple[str, str]:
    """The licence in a few words, and the texts of the bundle's licence files, those of its data included."""
    files = [path for name in ("LICENSE", "LICENSE.txt", "docs/data_license.txt") if (path := root / name).is_file()]
    texts = {path.relative_to(root).as_posix(): _read(path) for path in files}
    own = next((content for name, content in texts.items() if name.startswith("LICENSE")), "")
    name = next((name for name, words in _LICENCES.items() if all(word in own for word in words)), None)
    told = name or ("as in the bundle's LICENSE" if own else text(metadata, "license"))
    words = "; ".join(part for part in (told, text(metadata, "copyright", "")) if part)
    if "docs/data_license.txt" in texts:
        words += "; the data it was trained on have licences of their own, see LICENSE"
    whole = "\n\n".join(f"{name} of the bundle:\n\n{content.strip()}" for name, content in texts.items())
    return words, (whole or f"The licence of these weights is {UNKNOWN}.") + "\n"


def model_card(spec: ModelSpec, root: Path) -> str:
    """docs/README.md of an imported bundle."""
    made = dict(spec.provenance)
    notes = made.pop("differences", [])
    own = root / "docs" / "README.md"
    lines = [
        *(f"# {spec.title}", "", "**For research, not for clinical use.**", "", spec.summary, ""),
        *("## Intended use", spec.intended_use, ""),
        "## Input and output",
        *(f"- Input: {item.name} ({item.modality}, {item.unit}), {_steps(item.steps)}" for item in spec.inputs),
        f"- Grid: axes {spec.orientation}, {spacing_text(spec.spacing_mm)}; MONAI's rules for resampling and windows.",
        f"- Network: {spec.network.name}, window {' x '.join(map(str, spec.window.size))} voxels.",
        f"- Segments{', which may overlap' if spec.overlapping else ''}:",
        *(f"- {label.value}: {label.name}" for label in spec.labels),
        "",
        *(["## Where DeepSeg differs from the bundle", *(f"- {note}" for note in notes), ""] if notes else []),
        "## How it was made",
        *(f"- {key}: {value}" for key, value in made.items()),
        "",
        *("## Accuracy", "DeepSeg has not measured it; what the bundle tells is above.", ""),
        *("## Licence and attribution", f"Licence: {spec.licence}.", "", f"Citation: {spec.citation}", ""),
        *(["## The bundle's own description", "", _read(own).strip(), ""] if own.is_file() else []),
    ]
    return "\n".join(lines)


def _steps(steps: tuple) -> str:
    return f"normalised by {', '.join(step.scheme for step in steps)}" if steps else "as it is"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")[:_MAX_TEXT]
