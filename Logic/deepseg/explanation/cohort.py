"""What matters for a label over many images: integrated gradients, added up by input, by distance from the boundary, and by what lies there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

from deepseg.bundle import ModelBundle
from deepseg.devices import plans
from deepseg.errors import ExplanationError
from deepseg.explanation.explain import what_is_seen
from deepseg.explanation.methods.integrated_gradients import IntegratedGradients
from deepseg.explanation.methods.method import Asked
from deepseg.explanation.passes import Passes
from deepseg.explanation.question import Question
from deepseg.explanation.receptive_field import ReceptiveField, receptive_field
from deepseg.explanation.shares import Share, over_cohort, shares_of
from deepseg.explanation.targets import ExplanationTarget
from deepseg.preprocessing import prepare
from deepseg.volume import Volume
from deepseg.window_network import WindowNetwork


@dataclass(frozen=True)
class CohortExplanation:
    """What matters for a label.

    Attributes:
        label: its name.
        cases: in how many images the model found it; the others were left out.
        shares: of attribution, each with its interval over the cases.
        field: how far the model can see around a voxel in the segment's middle, and does look, on average over the cases.
    """

    label: str
    cases: int
    shares: tuple[Share, ...]
    field: ReceptiveField


def explain_cohort(volumes: Iterable[Volume], bundle: ModelBundle, label: str | int, on_case: Callable[[], None] | None = None) -> CohortExplanation:
    """See `deepseg.api.explain_cohort`."""
    spec, target, method = bundle.spec, ExplanationTarget(label), IntegratedGradients()
    found, fields, name, value = [], [], *target.segment(spec)
    for volume in volumes:
        prepared = prepare(volume, spec)
        plan = next(iter(plans(spec, tuple(prepared.tensor.shape[1:]), "float32")))
        network = WindowNetwork.of(bundle, spec, plan.device, "float32", mirror=False)
        seen = what_is_seen(network, prepared, plan)
        if on_case:
            on_case()
        try:
            question = target.question(seen, prepared.geometry, spec)
        except ExplanationError:  # the label is not there
            continue
        asked = Asked(Passes(network, question), prepared.tensor)
        spacing = prepared.geometry.spacing_mm
        found.append(shares_of(method.by_input(asked).numpy(), seen.numpy().astype(np.uint16), value, spacing, spec))
        middle = Question(_most_central(question.where), question.channels, question.overlapping, question.channel)
        fields.append(receptive_field(Passes(network, middle), prepared.tensor))
    if not found:
        raise ExplanationError(f"The model {spec.id} finds no '{name}' in any of the images, so there is nothing to explain.")
    theoretical, effective = (
        tuple(float(x) for x in np.mean([getattr(one, kind) for one in fields], axis=0)) for kind in ("theoretical_mm", "effective_mm")
    )
    return CohortExplanation(name, len(found), tuple(over_cohort(found)), ReceptiveField(theoretical, effective))


def _most_central(where: torch.Tensor) -> torch.Tensor:
    """The voxel that counts and lies nearest to the middle of those that do, alone."""
    at = torch.nonzero(where)
    nearest = at[(at - at.float().mean(0)).square().sum(1).argmin()]
    alone = torch.zeros_like(where)
    alone[tuple(nearest)] = 1.0
    return alone
