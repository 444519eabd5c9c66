"""Ways of explaining against each other on held-out cases: `explanation.py [--data MSD] [--model NAME_OR_FOLDER] [--cases N] [--method ...]`.

Each way is asked why the first label is where the model puts it, and its maps are tested, in a process of its own with one thread.
Then what Grad-CAM and occlusion cost beside bare forward passes, and how the quick occlusion ranks regions beside the full one.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr, wilcoxon
from table import show
from tqdm import tqdm
from volumes import data_folder

from deepseg import api
from deepseg.explanation.checks.agreement import another_label, shuffled, with_noise
from deepseg.explanation.checks.curves import Revealing, edges, noise
from deepseg.explanation.layers import layers_of, usual_layer
from deepseg.explanation.methods import METHODS, Asked
from deepseg.explanation.methods.occlusion import Lattice, Occlusion
from deepseg.explanation.passes import Passes
from deepseg.explanation.question import Question
from deepseg.heap import freed_memory_kept
from deepseg.inference import window_at
from deepseg.preprocessing import prepare, prepare_labels
from deepseg.window_network import WindowNetwork
from deepseg_train.data import Case, open_dataset
from deepseg_train.data.split import load_split

SPLIT = Path(__file__).resolve().parents[2] / "train/configs/hippocampus_split.json"
RIVALS = {"chance": lambda image: noise(image, 0), "edges": edges}
_DRAWS, _REPEATS = 2000, 5
_TOO_SLOW = ("occlusion", "attention-rollout")
"""The one needs a thousand passes a case; the other a transformer."""


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=(data_folder() or Path()) / "msd_hippocampus")
    parser.add_argument("--model", default="hippocampus-mr")
    parser.add_argument("--cases", type=int, default=31, help="of the test part")
    parser.add_argument("--method", nargs="*", default=[name for name in METHODS if name not in _TOO_SLOW], help="NAME, or NAME@LAYER for a CAM")
    parser.add_argument("--no-costs", action="store_true", help="leave out the second table, which wants a computer that does nothing else")
    parser.add_argument("--regions", type=int, default=2, help="cases for the third table, a thousand passes each")
    options = parser.parse_args()
    cases = load_split(SPLIT, open_dataset(options.data).cases)["test"][: options.cases]
    if options.method:
        show_methods(options.model, cases, options.method)
    if not options.no_costs:
        show_costs(api.load_model(options.model), cases[0])
    if options.regions:
        show_coarse(api.load_model(options.model), cases[: options.regions])


def show_methods(model: str, cases: list[Case], methods: list[str]) -> None:
    """The table of methods, each measured in a process of its own."""
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), max_tasks_per_child=1) as pool:
        waiting = {name: pool.submit(measured, name, model, cases) for name in (*RIVALS, *methods)}
        found = {}
        for name, future in waiting.items():
            found[name] = future.result()
            print(f"{name}: done", flush=True)
    heads = ("method", "deletion", "insertion", "p against chance", "p against edges", "shuffled weights", "its strengths", "another label", "noise")
    rows = [(*heads, "passes", "memory (GB)")]
    for name, figures in found.items():
        areas = [interval(figures[kind]) for kind in ("deletion", "insertion")]
        rows.append((name, *areas, *([""] * 8 if name in RIVALS else rest_of_row(figures, found))))
    show(f"Explanations of the first label on {len(cases)} held-out cases; {model}; mean and 95 % bootstrap interval, or mean and extremes", rows)


def rest_of_row(figures: dict[str, list[float]], found: dict[str, dict[str, list[float]]]) -> list[str]:
    """What a method has and its rivals have not; p: the larger one of deletion and insertion."""
    told = []
    for rival in RIVALS:
        less = wilcoxon(figures["deletion"], found[rival]["deletion"], alternative="less").pvalue
        more = wilcoxon(figures["insertion"], found[rival]["insertion"], alternative="greater").pvalue
        told.append(f"{max(less, more):.1e}")
    for kind in ("shuffled", "strengths", "label", "noise"):
        told.append(f"{np.mean(figures[kind]):.2f} ({min(figures[kind]):.2f} to {max(figures[kind]):.2f})")
    return [*told, f"{np.median(figures['passes']):.0f}", f"{figures['memory'][0]:.2f}"]


def measured(name: str, model: str, cases: list[Case]) -> dict[str, list[float]]:
    """Areas, likenesses and passes of a method's maps by case, and the most memory; areas alone of a rival."""
    torch.set_num_threads(1)
    bundle, found = api.load_model(model), {}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with freed_memory_kept():
        for case in tqdm(cases, desc=name, unit="case", mininterval=60):
            passes, image = asked_of(case, bundle)
            figures = {}
            if name in RIVALS:
                values = RIVALS[name](image)
            else:
                method, layer = METHODS[name.partition("@")[0]], name.partition("@")[2] or usual_layer(layers_of(bundle.spec))
                asked = Asked(passes, image, layer if method.needs_layer else None)
                count: list[int] = []
                passes.on_window = partial(count.append, 1)
                values = method.attribute(asked)
                figures["passes"] = len(count) / len(passes.windows)
                passes.on_window = None
                figures["memory"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6
                figures["shuffled"], figures["strengths"] = shuffled(method, asked, values)
                figures |= {"label": another_label(method, asked, values), "noise": with_noise(method, asked, values)}
            curves = Revealing(passes, image).curves(values)
            figures |= {"deletion": curves.deletion_area, "insertion": curves.insertion_area}
            for kind, value in figures.items():
                found.setdefault(kind, []).append(value)
    return found


def asked_of(case: Case, bundle: api.ModelBundle) -> tuple[Passes, torch.Tensor]:
    """The question `api.explain` puts about the first label, and the image on the model's grid."""
    volume, _ = case.read(bundle.spec)
    prepared = prepare(volume, bundle.spec)
    seen = prepare_labels(api.segment(volume, bundle).labels, bundle.spec)
    mask = (seen == bundle.spec.labels[0].value).float()
    network = WindowNetwork.of(bundle, bundle.spec, torch.device("cpu"), "float32", mirror=False)
    return Passes(network, Question(mask / mask.sum(), bundle.spec.channel_count, bundle.spec.overlapping, 1)), prepared.tensor


def show_costs(bundle: api.ModelBundle, case: Case) -> None:
    """Times in units of bare forward passes over the same windows."""
    passes, image = asked_of(case, bundle)
    windows = passes.windows
    padded = windows.pad(image)

    def forward() -> None:
        with torch.inference_mode():
            for corner in windows.corners:
                passes.network(window_at(padded, corner, windows.window)[None])

    rows = [("what", "time / bare forward passes", "limit")]
    # As every run keeps it, see Attempts.
    with freed_memory_kept():
        for name in (f"grad-cam@{layer}" for layer in ("bottleneck", "upsamples.1", "upsamples.2")):
            bare, taken = together(_REPEATS, forward, lambda name=name: drawn(name, passes, image))
            rows.append((name, f"{taken / bare:.2f}", "1.8"))
        for name in (name for name in METHODS if name not in (*_TOO_SLOW, "grad-cam")):
            bare, taken = together(1, forward, lambda name=name: drawn(name, passes, image))
            rows.append((name, f"{taken / bare:.1f}", ""))
        size = (16, 16, 16)
        count = math.prod(Lattice(tuple(image.shape[1:]), size, 0.0).shape) + 1
        bare, taken = together(_REPEATS, lambda: [forward() for _ in range(count)], lambda: Occlusion(size, 0.0).attribute(Asked(passes, image)))
        rows.append((f"occlusion by {count - 1} boxes, and once by none", f"{taken / bare:.2f}", "1.1"))
    show(f"Costs over {len(windows)} windows", rows)


def show_coarse(bundle: api.ModelBundle, cases: list[Case]) -> None:
    """How many passes the quick occlusion saves, and whether it ranks regions, cubes as large as its boxes, as the full one does."""
    rows = [("case", "passes of the full one", "share of them (limit 0.1)", "Spearman over regions (limit 0.95)", "regions")]
    for case in tqdm(cases, desc="full occlusion", unit="case"):
        passes, image = asked_of(case, bundle)
        counts, regions = [], []
        with freed_memory_kept():
            for name in ("occlusion", "coarse-occlusion"):
                before = passes.count
                values = METHODS[name].attribute(Asked(passes, image))
                counts.append(passes.count - before)
                regions.append(torch.nn.functional.avg_pool3d(values[None], 12, ceil_mode=True, count_include_pad=False).flatten().numpy())
        alike = spearmanr(*regions).statistic
        rows.append((case.name, str(counts[0]), f"{counts[1] / counts[0]:.3f}", f"{alike:.3f}", str(len(regions[0]))))
    show(f"Occlusion from coarse to fine; {bundle.spec.id}", rows)


def drawn(name: str, passes: Passes, image: torch.Tensor) -> torch.Tensor:
    """A map by NAME or NAME@LAYER."""
    name, _, layer = name.partition("@")
    method = METHODS[name]
    return method.attribute(Asked(passes, image, (layer or usual_layer(layers_of(passes.network.spec))) if method.needs_layer else None))


def together(repeats: int, *works: Callable[[], None]) -> list[float]:
    """Seconds that each takes, the medians of several runs in turn."""
    times = []
    for _ in range(repeats):
        for work in works:
            begin = time.perf_counter()
            work()
            times.append(time.perf_counter() - begin)
    return np.median(np.reshape(times, (repeats, -1)), 0).tolist()


def interval(values: list[float]) -> str:
    """Mean and 95 % bootstrap interval over cases."""
    sample = np.asarray(values)
    draws = np.random.default_rng(0).integers(0, len(sample), (_DRAWS, len(sample)))
    low, high = np.percentile(sample[draws].mean(1), [2.5, 97.5])
    return f"{sample.mean():.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
