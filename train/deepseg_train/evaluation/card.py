"""The model card and the licence text that go into a model's folder."""

from __future__ import annotations

from deepseg.spec import InputSpec, ModelSpec, spacing_text
from deepseg_train.data.channels import steps_text
from deepseg_train.data.seen import KEY, Seen
from deepseg_train.evaluation.tables import table

WEIGHTS_LICENCE = """The weights in this folder are licensed apart from DeepSeg's code (Apache-2.0).

Licence of the weights: {licence}

Attribution: {citation}

{link}
For research, not for clinical use. No warranty of any kind.
"""
_LINKS = {"CC-BY-SA-4.0": "Full text of the licence: https://creativecommons.org/licenses/by-sa/4.0/legalcode\n"}


def licence_text(spec: ModelSpec) -> str:
    """Text of the folder's LICENSE."""
    link = next((text for name, text in _LINKS.items() if name in spec.licence), "")
    return WEIGHTS_LICENCE.format(licence=spec.licence, citation=spec.citation, link=link)


def model_card(spec: ModelSpec) -> str:
    """docs/README.md of a model: what it is for, on what and how it was trained, and its measured figures."""
    segments = "\n".join(f"- {label.value}: {label.name}" for label in spec.labels)
    made = "\n".join(f"- {key}: {value}" for key, value in told_provenance(spec).items())
    figures = f"{spec.metrics['what']}\n\n{table(spec.metrics)}\n\nMean and {spec.metrics['interval']}, {spec.metrics['cases']} cases."
    inputs = "; ".join(_input_text(item) for item in spec.inputs)
    return f"""# {spec.title}

**For research, not for clinical use.**

{spec.summary}

## Intended use
{spec.intended_use}

## Input and output
- Input: {inputs}
- Grid: axes {spec.orientation}, {spacing_text(spec.spacing_mm)}; other grids are resampled and the result is brought back.
- Network: {spec.network.name}, window {" x ".join(map(str, spec.window.size))} voxels.
- Segments:
{segments}

## How it was made
{made}

## Accuracy
{figures}

## Limits
The figures are of the cases named above and of no others. With another scanner, sequence, age or disease they may be worse.

## Licence and attribution
{spec.licence}

{spec.citation}
"""


def told_provenance(spec: ModelSpec) -> dict[str, str]:
    """How a model was made, to be read by people."""
    return {key: Seen.by(spec).told if key == KEY else str(value) for key, value in spec.provenance.items()}


def _input_text(item: InputSpec) -> str:
    return f"{item.name} ({item.modality}, {item.unit}), normalised by {steps_text(item.steps)}"
