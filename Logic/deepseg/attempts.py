"""One run over an image, tried in one way after the other until memory suffices."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from deepseg.bundle import ModelBundle
from deepseg.cost import LABELS_ALONE, Cost, Extent, estimate, seems_to_fit
from deepseg.devices import Plan, device_name, plans
from deepseg.errors import MemoryLimitError, ModelError, PrecisionError, is_shortage
from deepseg.fast_network import full_float32
from deepseg.heap import freed_memory_kept
from deepseg.preprocessing import grid_of
from deepseg.volume import Volume

Result = TypeVar("Result")


@dataclass
class Attempts(Generic[Result]):
    """What stays the same from attempt to attempt.

    Attributes:
        volume: what is run on, all of it.
        bundle: the model.
        run: does it, in the way of a plan.
        extent: what it does beyond one pass for labels.
        device: key of the only one to try; all of them where None.
    """

    volume: Volume
    bundle: ModelBundle
    run: Callable[[Plan], Result]
    extent: Extent = LABELS_ALONE
    device: str | None = None

    def first_that_fits(self, precision: str) -> tuple[Result, Plan, list[str]]:
        """The result, how it was had, and a note where that is not the usual way.

        Raises:
            VolumeError: the model would have to see too many windows.
            ModelError: the network cannot be built, or run on the processor or the chosen device.
            DeviceError: there is no such device.
            MemoryLimitError: no way has memory enough.
        """
        ways = list(plans(self.bundle.spec, grid_of(self.volume.geometry, self.bundle.spec).shape, precision, self.device))
        reason = "There was not enough memory for the usual way"
        for plan in ways:
            cost = self._cost(plan)
            knows_no_such_window = cost is None and plan.spec is not self.bundle.spec
            if knows_no_such_window or not seems_to_fit(cost, plan.device):
                continue
            # Whatever a way that failed had in memory is gone by the time the next one is tried.
            result, failure = self._outcome(plan)
            if failure is None:
                return result, plan, [f"{reason}, so it ran on: {plan.described()}."] if plan != ways[0] else []
            if isinstance(failure, PrecisionError):
                told = f"The network's numbers are too large for {plan.precision}; it ran in float32, which takes longer."
                result, plan, notes = self.first_that_fits("float32")
                return result, plan, [told, *notes]
            if isinstance(failure, ModelError):
                if plan.device.type == "cpu":
                    raise failure
                if self.device:
                    told = f"The device chosen for it, {device_name(plan.device)} ({self.device}), could not run this model: {failure}"
                    raise ModelError(f"{told} Choose another device, or leave the choice to DeepSeg.") from failure
                reason = f"{device_name(plan.device)} could not run this model ({failure})"
            if plan.device.type == "cuda":
                torch.cuda.empty_cache()
        raise MemoryLimitError(_advice(self.volume, self._cost(ways[-1]), ways[-1].device if self.device else None))

    def _outcome(self, plan: Plan) -> tuple[Result, None] | tuple[None, Exception]:
        """The result, or why there is none: a shortage of memory or precision, or a network that cannot be run this way."""
        try:
            with full_float32(), nullcontext() if plan.frugal else freed_memory_kept():
                return self.run(plan), None
        except (PrecisionError, ModelError) as error:
            return None, error.with_traceback(None)
        except Exception as error:
            if is_shortage(error):
                return None, error.with_traceback(None)
            raise

    def _cost(self, plan: Plan) -> Cost | None:
        return estimate(self.volume.geometry, plan, self.extent)


def _advice(volume: Volume, cost: Cost | None, chosen: torch.device | None) -> str:
    shape = " x ".join(str(n) for n in volume.geometry.shape)
    needed = f"; the run needs about {(cost.result_bytes + cost.work_bytes) / 1e9:.1f} GB" if cost else ""
    where = f" on {device_name(chosen)} ({chosen}), the device chosen for it" if chosen else ""
    other = "Choose another device or leave the choice to DeepSeg, close" if chosen else "Close"
    return (
        f"There was not enough memory to run the model over '{volume.name}' ({shape} voxels{needed}){where}. "
        f"{other} other programs, or choose a smaller region of interest."
    )
