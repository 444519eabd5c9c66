"""What is told about a model that comes from nnU-Net, whose folder says how it works and not what it may be used for."""

from __future__ import annotations

from deepseg.spec import ModelSpec

UNKNOWN = "unknown; ask whoever trained it"
CITATION = f"The model's own is {UNKNOWN}. nnU-Net: Isensee et al. 2021, doi:10.1038/s41592-020-01008-z."
INTENDED_USE = f"For research, not for clinical use. What images the model is meant for is {UNKNOWN}."
LICENCE = f"""The licence of these weights is {UNKNOWN}.

They were trained with nnU-Net and imported into DeepSeg; neither gives you a right to use or to pass on the weights.
"""


def model_card(spec: ModelSpec) -> str:
    """docs/README.md of an imported model."""
    lines = [
        *(f"# {spec.title}", "", "**For research, not for clinical use.**", "", spec.summary, ""),
        *("## Intended use", spec.intended_use, ""),
        "## Input and output",
        *(f"- Input: {item.name} ({item.modality}, {item.unit}), {_normalised(item.steps)}" for item in spec.inputs),
        f"- Grid: axes {spec.orientation}; nnU-Net's rules for cropping, resampling and windows.",
        f"- Network: {spec.network.name}, window {' x '.join(map(str, spec.window.size))} voxels.",
        f"- Segments{', which may overlap' if spec.overlapping else ''}:",
        *(f"- {label.value}: {label.name}" for label in spec.labels),
        "",
        "## How it was made",
        *(f"- {key}: {value}" for key, value in spec.provenance.items()),
        "",
        *("## Accuracy", "DeepSeg has not measured it.", ""),
        *("## Licence and attribution", f"Licence: {spec.licence}.", "", f"Citation: {spec.citation}", ""),
    ]
    return "\n".join(lines)


def _normalised(steps: tuple) -> str:
    return f"normalised by {', '.join(step.scheme for step in steps)}" if steps else "as it is"
