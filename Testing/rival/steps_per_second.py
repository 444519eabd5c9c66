"""Training steps per second of nnU-Net's trainer and of `deepseg-train`'s way, on the same network, patch, batch and optimiser, data included:

    python steps_per_second.py DATA --split SPLIT --work WORK [--config CONFIG] [--turns 12] [--steps 4]

The network is the one nnU-Net plans for the training cases. Each side is a process of its own with its own loader, and they take turns of a few
steps. Each side computes as it does in real training: nnU-Net in float32 on a processor, ours in bfloat16 where the processor multiplies it, with
its moving average of the weights. Between its turns a side and its loader's processes stand still, so that what else the machine does meets both
alike and neither makes batches in the other's time. WORK is a folder of `nnunet_training.py`, which has found out how many processes and threads
are fastest for nnU-Net.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nnunet_dataset as dataset
from nnunet_training import make_trainer, trainer_class

SIDES = ("nnU-Net", "ours")
PARTS = ("data", "forward", "loss", "backward", "optimiser", "step")
TURNS_BEFORE = 1
CONFIG = Path(__file__).parents[2] / "train/configs/hippocampus.yaml"


class Clock:
    """Seconds of the parts of steps; what is neither of the others is backward."""

    def __init__(self, network: Any, optimizer: Any) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(PARTS, 0.0)
        network.register_forward_pre_hook(lambda *_: self._begin())
        network.register_forward_hook(lambda *_: self._end("forward"))
        optimizer.step = self.timed("optimiser", optimizer.step)

    def timed(self, part: str, function: Callable) -> Callable:
        def run(*args: Any, **kwargs: Any) -> Any:
            begin = time.perf_counter()
            result = function(*args, **kwargs)
            self.seconds[part] += time.perf_counter() - begin
            return result

        return run

    def _begin(self) -> None:
        self.begun = time.perf_counter()

    def _end(self, part: str) -> None:
        self.seconds[part] += time.perf_counter() - self.begun

    def run(self, step: Callable[[Any], object], batches: Iterator, steps: int) -> dict[str, float]:
        """Seconds a step of each part."""
        self.seconds = dict.fromkeys(PARTS, 0.0)
        begin = time.perf_counter()
        following = self.timed("data", lambda: next(batches))
        for _ in range(steps):
            step(following())
        self.seconds["step"] = time.perf_counter() - begin
        self.seconds["backward"] = 2 * self.seconds["step"] - sum(self.seconds.values())
        return {part: seconds / steps for part, seconds in self.seconds.items()}


def nnunet_side(work: Path) -> Callable[[int], dict[str, float]]:
    import torch

    found = json.loads((work / "rival.json").read_text(encoding="utf-8"))
    os.environ.update({"nnUNet_n_proc_DA": str(found["processes"])})
    torch.set_num_threads(found["threads"])
    trainer = make_trainer(trainer_class(), work, 0)
    trainer.initialize()
    trainer.set_deep_supervision_enabled(True)
    trainer.network.train()
    batches, _ = trainer.get_dataloaders()
    clock = Clock(trainer.network, trainer.optimizer)
    trainer.loss = clock.timed("loss", trainer.loss)
    return lambda steps: clock.run(trainer.train_step, batches, steps)


def our_side(work: Path, data: Path, split: Path, config_file: Path) -> Callable[[int], dict[str, float]]:
    import torch
    from torch.nn.functional import interpolate
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    from deepseg.fast_network import fast_precision
    from deepseg_train.config import load_config
    from deepseg_train.data import open_dataset
    from deepseg_train.data.split import load_split
    from deepseg_train.loading.loader import training_loader
    from deepseg_train.losses import DeepSupervisionLoss, LossSettings
    from deepseg_train.training.fast_network import prepare_images, prepare_network

    theirs = make_trainer(trainer_class(), work, 0)
    theirs.initialize()
    theirs.set_deep_supervision_enabled(True)
    network, optimizer = theirs.network.train(), theirs.optimizer
    batch_size, patch = theirs.configuration_manager.batch_size, tuple(theirs.configuration_manager.patch_size)
    config = load_config(config_file)
    config = replace(
        config,
        spec=replace(config.spec, window=replace(config.spec.window, size=patch)),
        training=replace(config.training, batch_size=batch_size, steps_per_epoch=1000, workers=1),
    )
    half = fast_precision(torch.device("cpu")) == "bfloat16"
    if half:
        prepare_network(network)
    batches = iter(training_loader(config, load_split(split, open_dataset(data).cases)["train"]))
    clock = Clock(network, optimizer)
    weights = [weight for weight in theirs.loss.weight_factors if weight]  # nnU-Net's: its coarsest head counts nothing
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(config.training.ema_decay))
    loss = clock.timed("loss", DeepSupervisionLoss(LossSettings(head_weights=tuple(weights))))

    def step(batch: dict[str, torch.Tensor]) -> None:
        optimizer.zero_grad(set_to_none=True)
        image = prepare_images(batch["image"]) if half else batch["image"]
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            heads = network(image)[: len(weights)]
        heads = torch.stack([interpolate(head.float(), image.shape[2:]) for head in heads], 1)
        loss(heads, batch["label"].long()).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 12)
        optimizer.step()
        averaged.update_parameters(network)

    return lambda steps: clock.run(step, batches, steps)


def answer(side: str, given: argparse.Namespace) -> None:
    """Take a turn for each line of standard input, which tells its steps; what was measured goes out as a line."""
    from deepseg.heap import freed_memory_kept, large_blocks_kept

    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # nnU-Net prints
    ours = side == "ours"
    kept = (freed_memory_kept(), large_blocks_kept()) if ours else ()
    turn = our_side(given.work, given.data, given.split, given.config) if ours else nnunet_side(given.work)
    with contextlib.ExitStack() as stack:
        for context in kept:
            stack.enter_context(context)
        for line in sys.stdin:
            print(json.dumps(turn(int(line))), file=out, flush=True)


class Side:
    """A side's process, with those of its loader; they stand still but in its turns."""

    def __init__(self, name: str) -> None:
        command = [sys.executable, __file__, *sys.argv[1:], "--side", name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)

    def turn(self, steps: int) -> dict[str, float]:
        os.killpg(self.process.pid, signal.SIGCONT)
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        measured = self.process.stdout.readline()
        os.killpg(self.process.pid, signal.SIGSTOP)
        if not measured:
            raise SystemExit("A side ended before its turn was over; what it said is above.")
        return json.loads(measured)

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def interval(ratios: list[float], draws: int = 10000) -> tuple[float, float]:
    """95 % bootstrap interval of the median ratio of pairs of turns."""
    rng = random.Random(0)
    medians = sorted(statistics.median(rng.choices(ratios, k=len(ratios))) for _ in range(draws))
    return medians[int(0.025 * draws)], medians[int(0.975 * draws)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=CONFIG, help="of our augmentation")
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--steps", type=int, default=4, help="of each turn")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.work = given.work.resolve()
    dataset.set_environment(given.work)
    if given.side:
        answer(given.side, given)
        return
    dataset.prepared(given.data, given.split, given.work)
    if not (given.work / "rival.json").is_file():
        raise SystemExit(f"{given.work} holds no measure of nnU-Net's processes and threads; run nnunet_training.py with it first.")
    # A side that stands still would outlast this process.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in SIDES}
    sides: dict[str, Side] = {}
    try:
        for name in SIDES:
            sides[name] = Side(name)
            for _ in range(TURNS_BEFORE):
                sides[name].turn(given.steps)
        for n in range(given.turns):
            for name in SIDES if n % 2 else SIDES[::-1]:
                measured[name].append(sides[name].turn(given.steps))
            print(f"  turn {n + 1} of {given.turns}: " + ", ".join(f"{name} {measured[name][-1]['step']:.2f} s" for name in SIDES), flush=True)
    finally:
        for side in sides.values():
            side.end()
    configuration = dataset.plans(given.work)["configurations"][dataset.CONFIGURATION]
    patch = " x ".join(map(str, configuration["patch_size"]))
    print(f"\n{_processor()}, {os.cpu_count()} cores. {configuration['batch_size']} patches of {patch} a step; medians of {given.turns} turns.")
    print("seconds a step  " + "".join(f"{part:>11}" for part in PARTS) + "  steps per second")
    for name in SIDES:
        medians = {part: statistics.median(turn[part] for turn in measured[name]) for part in PARTS}
        print(f"{name:16}" + "".join(f"{medians[part]:11.3f}" for part in PARTS) + f"  {1 / medians['step']:.3f}")
    ratios = [theirs["step"] / ours["step"] for theirs, ours in zip(*(measured[name] for name in SIDES), strict=True)]
    low, high = interval(ratios)
    print(f"Ours takes {statistics.median(ratios):.2f} times as many steps per second (95 % interval {low:.2f} to {high:.2f}).")


def _processor() -> str:
    with contextlib.suppress(OSError, StopIteration), Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
