"""The road of one explanation: the image prepared, the question put, the map drawn and tested, and brought back to the image's grid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from deepseg.attempts import Attempts
from deepseg.box import Box
from deepseg.bundle import ModelBundle
from deepseg.cost import Extent
from deepseg.devices import Plan
from deepseg.errors import ExplanationError
from deepseg.explanation.checks.report import CHECK_PASSES, checked
from deepseg.explanation.layers import layers_of, strides_of, usual_layer
from deepseg.explanation.listed import LISTED
from deepseg.explanation.methods import Asked, Method, method_named
from deepseg.explanation.passes import Passes
from deepseg.explanation.targets import ExplanationTarget
from deepseg.inference import Corner, run_windows
from deepseg.preprocessing import Prepared, prepare
from deepseg.progress import ProgressCallback, Tracker
from deepseg.provenance import provenance
from deepseg.region import labels_in_whole
from deepseg.restoring import label_codes
from deepseg.results import Explanation, ExplanationCheck
from deepseg.volume import Volume
from deepseg.window_network import WindowNetwork

USUAL_METHOD = next(method.key for method in LISTED if method.usual)


def explain(
    volume: Volume,
    bundle: ModelBundle,
    target: ExplanationTarget,
    roi: Box | None = None,
    progress: ProgressCallback | None = None,
    *,
    method: str = USUAL_METHOD,
    layer: str | None = None,
    seed: int = 0,
    checks: bool = True,
    device: str | None = None,
) -> Explanation:
    """See `deepseg.api.explain`."""
    spec, chosen, tracker = bundle.spec, method_named(method), Tracker(progress)
    layer = _layer(bundle, chosen, layer)
    part, where = volume.cropped(roi) if roi else (volume, (slice(None),) * 3)
    part.refuse_constant()

    def run(plan: Plan) -> tuple[Prepared, torch.Tensor, tuple[ExplanationCheck, ...], float]:
        tracker.report(0.0, "preparing the image")
        prepared = prepare(part, plan.spec)
        tracker.report(0.02, "loading the model")
        network = WindowNetwork.of(bundle, plan.spec, plan.device, "float32", mirror=False)
        tracker.report(0.05, "looking at what the model says")
        question = target.question(what_is_seen(network, prepared, plan), prepared.geometry, spec)
        passes = Passes(network, question)
        count, each = max(len(passes.windows) * len(network.members), 1), chosen.passes_over(tuple(prepared.tensor.shape[1:]))
        asked = Asked(passes, prepared.tensor, layer, seed)
        passes.on_window = _counted(tracker, "explaining", 0.1, 0.4 if checks else 0.98, count * each)
        values = chosen.attribute(asked)
        found: tuple[ExplanationCheck, ...] = ()
        if checks:
            passes.on_window = _counted(tracker, "testing the explanation", 0.4, 0.98, count * (CHECK_PASSES + 3 * each))
            found = checked(chosen, asked, values)
        return prepared, values, found, passes.number(prepared.tensor)

    passes_of = 1 + chosen.passes_over(part.geometry.shape) * (4 if checks else 1) + (CHECK_PASSES if checks else 0)
    (prepared, values, found, number), plan, notes = Attempts(part, bundle, run, Extent(passes_of, 64), device).first_that_fits("float32")
    told = target.told(spec)
    made_by = provenance(bundle, roi, plan, explained=told, method=method, layer=layer, seed=seed)
    whole = labels_in_whole(_on_part(prepared, part, values), roi, where, volume.geometry)
    failed = ", ".join(check.name for check in found if not check.passed)
    title = f"{chosen.title} (failed: {failed})" if failed else chosen.title
    return Explanation(whole, volume.geometry, told, method, title, layer, number, found, made_by, tracker.finish(), tuple(notes))


def _layer(bundle: ModelBundle, method: Method, layer: str | None) -> str | None:
    """The layer to look at; None for methods that look at none.

    Raises:
        ExplanationError: the layer is none of the network's, or none was named and none can be found.
    """
    if not method.needs_layer:
        if layer is not None:
            raise ExplanationError(f"{method.title} looks at no layer; leave it out, or choose a method that does, for example grad-cam.")
        return None
    if layer is None:
        layer = usual_layer(layers_of(bundle.spec))
        if layer is None:
            raise ExplanationError(f"The layers of the model {bundle.spec.id} cannot be found without a run; choose a method that needs none.")
    strides_of(bundle.spec, layer)
    return layer


def what_is_seen(network: WindowNetwork, prepared: Prepared, plan: Plan) -> torch.Tensor:
    """What the model says of each voxel of its grid: int64 (I, J, K), a bit field where labels may overlap."""
    seen = torch.zeros(prepared.tensor.shape[1:], dtype=torch.int64)

    def keep(corner: Corner, block: torch.Tensor) -> None:
        at = tuple(slice(c, c + n) for c, n in zip(corner, block.shape[1:], strict=True))
        block = block.float().cpu()
        seen[at] = label_codes(torch.sigmoid(block) if network.spec.overlapping else block, network.spec, 0.5).long()

    run_windows(network, prepared.tensor, keep, batch=plan.batch, held=plan.held)
    return seen


def _counted(tracker: Tracker, stage: str, start: float, stop: float, count: int) -> Callable[[], None]:
    """Called after each pass over a window; how many there will be is an estimate."""
    step, done = tracker.steps(stage, start, stop), [0]

    def one_more() -> None:
        done[0] += 1
        step(min(done[0], count), count)

    return one_more


def _on_part(prepared: Prepared, part: Volume, values: torch.Tensor) -> np.ndarray:
    """Values (I, J, K) of the model's grid on the grid that was explained; 0 where nothing was seen."""
    result = np.zeros((1, *part.geometry.shape), np.float32)
    into = prepared.orientation.apply(result)[(0, *prepared.cut)]
    into[...] = prepared.back.resample(values[None])[0].numpy()
    return result[0]
