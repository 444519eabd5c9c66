"""One run over a prepared image, tried in one way after the other until memory suffices."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from deepseg.bundle import ModelBundle
from deepseg.cost import Cost, estimate
from deepseg.devices import Plan, free_bytes, plans
from deepseg.errors import MemoryLimitError, PrecisionError
from deepseg.fast_network import PRECISIONS
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
            MemoryLimitError: no way has memory enough.
        """
        ways = list(plans(self.bundle.spec, grid_of(self.volume.geometry, self.bundle.spec).shape, precision))
        for plan in ways:
            if not self._seems_to_fit(plan):
                continue
            try:
                restorer = self._run(plan)
            except PrecisionError:
                told = f"The network's numbers are too large for {plan.precision}; it ran in float32, which takes longer."
                restorer, plan, notes = self.first_that_fits("float32")
                return restorer, plan, [told, *notes]
            except (MemoryError, torch.OutOfMemoryError):
                if plan.device.type == "cuda":
                    torch.cuda.empty_cache()
            else:
                notes = [f"There was not enough memory for the usual way, so it ran on: {plan.described()}."] if plan != ways[0] else []
                return restorer, plan, notes
        raise MemoryLimitError(_advice(self.volume, self._cost(ways[-1])))

    def _run(self, plan: Plan) -> Restorer:
        self.tracker.report(0.0, "preparing the image")
        prepared = prepare(self.volume, plan.spec, PRECISIONS[plan.precision])
        self.tracker.report(0.02, "loading the model")
        network = WindowNetwork.of(self.bundle, plan.spec, plan.device, plan.precision, self.mirror)
        restorer = Restorer(prepared, plan.spec, self.volume.geometry.shape, self.probabilities)
        on_window = self.tracker.steps("running the network", 0.05, 0.98)
        run_windows(network, prepared.tensor, restorer.add, means=restorer.needs_means, batch=plan.batch, held=plan.held, on_window=on_window)
        return restorer

    def _cost(self, plan: Plan) -> Cost | None:
        return estimate(self.volume.geometry, plan, len(self.bundle.spec.weights))

    def _seems_to_fit(self, plan: Plan) -> bool:
        """Whether the estimate is below what is free: the operating system kills whoever takes more instead of refusing it."""
        cost, free = self._cost(plan), free_bytes(plan.device)
        return cost is None or free is None or cost.work_bytes <= free


def _advice(volume: Volume, cost: Cost | None) -> str:
    shape = " x ".join(str(n) for n in volume.geometry.shape)
    needed = f"; the run needs about {cost.work_bytes / 1e9:.1f} GB" if cost else ""
    return (
        f"There was not enough memory to segment '{volume.name}' ({shape} voxels{needed}). "
        "Close other programs, or choose a smaller region of interest."
    )
