"""A variant that DeepSeg opens: a model folder whose weights are stored in another number type."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deepseg.bundle import ModelBundle
from deepseg.bundle_writer import STOCK_HEADING, TRUST_HEADING
from deepseg.spec import ModelSpec
from deepseg_train.variants.kinds import Kind


def save_model_folder(model: ModelBundle, kind: Kind, folder: Path, metrics: dict[str, object], measured: str) -> ModelBundle:
    """Write a model's weights in a variant's number type, through `ModelBundle.save`, so that it has a golden file of its own and is held to it.

    Calibration belongs to the weights it was fitted with, so that the variant has none.

    Args:
        model: what it is made from.
        kind: a variant with a dtype.
        folder: must not exist.
        metrics: what was measured with the variant's own weights.
        measured: Markdown for the model card.

    Raises:
        OutputError: the folder cannot be written.
        ModelError: the weights do not bear the number type.
    """
    members = {name: model.build_network(member).state_dict() for member, name in enumerate(model.spec.weights)}
    card = f"{_card_of(model)}\n\n{measured}\n"
    licence = (model.folder / "LICENSE").read_text(encoding="utf-8")
    return ModelBundle.save(folder, _spec_of(model, kind, metrics), members, card, licence, dtype=kind.dtype)


def variant_of(model: ModelBundle, kind: Kind) -> str:
    """Where a variant comes from, in a sentence."""
    return f"weights of {model.spec.id} {model.spec.version} (SHA-256 of the model {model.sha256[:16]}...), {kind.told}"


def _spec_of(model: ModelBundle, kind: Kind, metrics: dict[str, object]) -> ModelSpec:
    spec = model.spec
    return replace(
        spec,
        id=f"{spec.id}-{kind.name}",
        title=f"{spec.title}, {kind.name} weights",
        provenance={**spec.provenance, "variant": variant_of(model, kind)},
        metrics=metrics,
        calibration_sha256="",
    )


def _card_of(model: ModelBundle) -> str:
    """The model's card without what is written anew, and what was learnt of how far its own weights can be trusted."""
    card = (model.folder / "docs" / "README.md").read_text(encoding="utf-8")
    return card.partition(TRUST_HEADING)[0].partition(STOCK_HEADING)[0].rstrip()
