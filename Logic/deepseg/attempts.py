"""One run over a prepared image, tried in one way after the other until memory suffices."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import torch

from deepseg.bundle import ModelBundle
from deepseg.cost import Cost, estimate, seems_to_fit
from deepseg.devices import Plan, device_name, plans
from deepseg.errors import MemoryLimitError, ModelError, PrecisionError, is_shortage
from deepseg.fast_network import PRECISIONS, full_float32
from deepseg.heap import freed_memory_kept
from deepseg.inference import run_windows
from deepseg.preprocessing import grid_of, prepare
from deepseg.progress import Tracker
from deepseg.restoring import Restorer
from deepseg.volume import Volume
from deepseg.window_network import WindowNetwork


@dataclass
class Attempts:
    """What stays the same from attempt to attempt.

    Attributes:
        volume: what is segmented, all of it.
        bundle: the model.
        probabilities: whether they are wanted.
        mirror: whether answers to mirrored windows are averaged.
        tracker: told of progress.
    """

    volume: Volume
    bundle: ModelBundle
    probabilities: bool
    mirror: bool
    tracker: Tracker

    def first_that_fits(self, precision: str) -> tuple[Restorer, Plan, list[str]]:
        """The result, how it was had, and a note where that is not the usual way.

        Raises:
            VolumeError: the model would have to see too many windows.
            ModelError: the network cannot be built, or run on the processor.
            MemoryLimitError: no way has memory enough.
        """
        ways = list(plans(self.bundle.spec, grid_of(self.volume.geometry, self.bundle.spec).shape, precision))
        reason = "There was not enough memory for the usual way"
        for plan in ways:
            cost = self._cost(plan)
            knows_no_such_window = cost is None and plan.spec is not self.bundle.spec
            if knows_no_such_window or not seems_to_fit(cost, plan.device):
                continue
            # Whatever a way that failed had in memory is gone by the time the next one is tried.
            outcome = self._outcome(plan)
            if isinstance(outcome, Restorer):
                return outcome, plan, [f"{reason}, so it ran on: {plan.described()}."] if plan != ways[0] else []
            if isinstance(outcome, PrecisionError):
                told = f"The network's numbers are too large for {plan.precision}; it ran in float32, which takes longer."
                restorer, plan, notes = self.first_that_fits("float32")
                return restorer, plan, [told, *notes]
            if isinstance(outcome, ModelError):
                if plan.device.type == "cpu":
                    raise outcome
                reason = f"{device_name(plan.device)} could not run this model ({outcome})"
            if plan.device.type == "cuda":
                torch.cuda.empty_cache()
        raise MemoryLimitError(_advice(self.volume, self._cost(ways[-1])))

    def _outcome(self, plan: Plan) -> Restorer | Exception:
        """The result, or why there is none: a shortage of memory or precision, or a network that cannot be run this way."""
        try:
            return self._run(plan)
        except (PrecisionError, ModelError) as error:
            return error.with_traceback(None)
        except Exception as error:
            if is_shortage(error):
                return error.with_traceback(None)
            raise

    def _run(self, plan: Plan) -> Restorer:
        self.tracker.report(0.0, "preparing the image")
        prepared = prepare(self.volume, plan.spec, PRECISIONS[plan.precision])
        self.tracker.report(0.02, "loading the model")
        network = WindowNetwork.of(self.bundle, plan.spec, plan.device, plan.precision, self.mirror)
        restorer = Restorer(prepared, plan.spec, self.volume.geometry.shape, self.probabilities)
        on_window = self.tracker.steps("running the network", 0.05, 0.98)
        with full_float32(), nullcontext() if plan.frugal else freed_memory_kept():
            run_windows(network, prepared.tensor, restorer.add, means=restorer.needs_means, batch=plan.batch, held=plan.held, on_window=on_window)
        return restorer

    def _cost(self, plan: Plan) -> Cost | None:
        return estimate(self.volume.geometry, plan, self.probabilities, self.mirror)


def _advice(volume: Volume, cost: Cost | None) -> str:
    shape = " x ".join(str(n) for n in volume.geometry.shape)
    needed = f"; the run needs about {(cost.result_bytes + cost.work_bytes) / 1e9:.1f} GB" if cost else ""
    return (
        f"There was not enough memory to segment '{volume.name}' ({shape} voxels{needed}). "
        "Close other programs, or choose a smaller region of interest."
    )
