"""Ways of explaining against each other on held-out cases: `explanation.py [--data MSD] [--model NAME_OR_FOLDER] [--cases N] [--method ...]`.

Each map is asked why the first label is where the model puts it, and tested. Then what Grad-CAM and occlusion cost beside bare forward passes.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.stats import wilcoxon
from table import show
from tqdm import tqdm
from volumes import data_folder

from deepseg import api
from deepseg.explanation.checks.curves import curves, edges, noise
from deepseg.explanation.methods import METHODS, Asked
from deepseg.explanation.methods.occlusion import Occlusion, boxes
from deepseg.explanation.passes import Passes
from deepseg.explanation.question import Question
from deepseg.inference import window_at
from deepseg.preprocessing import prepare, prepare_labels
from deepseg.window_network import WindowNetwork
from deepseg_train.dataset import Case, find_cases
from deepseg_train.split import load_split

SPLIT = Path(__file__).resolve().parents[2] / "train/configs/hippocampus_split.json"
_DRAWS, _REPEATS = 2000, 5


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=(data_folder() or Path()) / "msd_hippocampus")
    parser.add_argument("--model", default="hippocampus-mr")
    parser.add_argument("--cases", type=int, default=31, help="of the test part")
    parser.add_argument("--method", nargs="+", default=[name for name in METHODS if name not in ("occlusion", "attention-rollout")])
    parser.add_argument("--layer", help="for CAM methods (default: the usual one)")
    options = parser.parse_args()
    bundle = api.load_model(options.model)
    cases = load_split(SPLIT, find_cases(options.data))["test"][: options.cases]
    rows = [("method", "deletion", "insertion", "p against chance", "p against edges", "shuffled", "noise", "passed all", "s")]
    rivals = [rival_areas(case, bundle) for case in tqdm(cases, desc="chance and edges", unit="case")]
    rows += [(name, *(interval([rival[name][n] for rival in rivals]) for n in (0, 1)), *[""] * 6) for name in ("chance", "edges")]
    for name in options.method:
        results = []
        for case in tqdm(cases, desc=name, unit="case"):
            volume, _ = case.read(bundle.spec)
            results.append(
                api.explain(volume, bundle, bundle.spec.labels[0].value, method=name, layer=options.layer if METHODS[name].needs_layer else None)
            )
        rows.append(row(name, results, rivals))
    show(f"Explanations of {bundle.spec.labels[0].name} on {len(cases)} held-out cases; {bundle.spec.id}; mean and 95 % bootstrap interval", rows)
    show_costs(bundle, cases[0])
    print(f"Most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


def row(name: str, results: list[api.Explanation], rivals: list[dict[str, tuple[float, float]]]) -> tuple[str, ...]:
    """One method's line; p: the larger one of deletion and insertion."""
    found = [{check.name: check for check in result.checks} for result in results]
    deletion, insertion = ([checks[kind].value for checks in found] for kind in ("deletion", "insertion"))
    worst = []
    for rival in ("chance", "edges"):
        less = wilcoxon(deletion, [one[rival][0] for one in rivals], alternative="less").pvalue
        more = wilcoxon(insertion, [one[rival][1] for one in rivals], alternative="greater").pvalue
        worst.append(f"{max(less, more):.1e}")
    shuffled, noisy = (np.mean([checks[kind].value for checks in found]) for kind in ("shuffled weights", "noise"))
    passed = np.mean([not result.failed for result in results])
    seconds = np.median([result.seconds["explaining"] for result in results])
    return name, interval(deletion), interval(insertion), *worst, f"{shuffled:.2f}", f"{noisy:.2f}", f"{passed:.2f}", f"{seconds:.2f}"


def rival_areas(case: Case, bundle: api.ModelBundle) -> dict[str, tuple[float, float]]:
    """Deletion and insertion area of maps that know nothing of the model."""
    passes, image = asked_of(case, bundle)
    found = {"chance": curves(passes, image, noise(image, 0)), "edges": curves(passes, image, edges(image))}
    return {name: (curve.deletion_area, curve.insertion_area) for name, curve in found.items()}


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

    bare = best(forward)
    rows = [("what", "time / bare forward passes", "limit")]
    for layer in ("bottleneck", "upsamples.1", "upsamples.2"):
        rows.append(
            (f"Grad-CAM at {layer}", f"{best(lambda layer=layer: METHODS['grad-cam'].attribute(Asked(passes, image, layer))) / bare:.2f}", "1.8")
        )
    size = (16, 16, 16)
    count = len(list(boxes(tuple(image.shape[1:]), size, 0.0)))
    seconds = best(lambda: Occlusion(size, 0.0).attribute(Asked(passes, image)))
    rows.append((f"occlusion by {count} boxes", f"{seconds / bare / (count + 1):.2f}", "1.1"))
    show(f"Costs; one pass over {len(windows)} windows takes {1000 * bare:.0f} ms", rows)


def best(work: Callable[[], None]) -> float:
    """Seconds, the median of several runs."""
    times = []
    for _ in range(_REPEATS):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def interval(values: list[float]) -> str:
    """Mean and 95 % bootstrap interval over cases."""
    sample = np.asarray(values)
    draws = np.random.default_rng(0).integers(0, len(sample), (_DRAWS, len(sample)))
    low, high = np.percentile(sample[draws].mean(1), [2.5, 97.5])
    return f"{sample.mean():.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
