"""nnU-Net as it is, trained for a given time on a processor, to compare with:

    python nnunet_training.py DATA --split SPLIT --work WORK --minutes 75

DATA: images and labels in the layout of the Medical Segmentation Decathlon. SPLIT: a split file of `deepseg-train`; nnU-Net sees its parts train and
validation alone, and then predicts its part test.

Everything is nnU-Net's own: plan, augmentation, loss, optimiser, mirroring. Only the lengths are set: as many epochs as fit into the minutes, so that
its learning rate has come down to nothing when they end, and short epochs, since 250 of its steps take a processor many minutes. What it does beside
training (pictures of its progress, most of its validation) is left out, to its advantage. How many processes make its batches and how many threads it
takes is whatever is fastest here; a short run before, thrown away and not counted, measures that and the length of an epoch.

A run that was killed goes on when the same command is given again. WORK then holds `predictions/` (the last checkpoint, which nnU-Net itself takes),
`predictions_best/` (the checkpoint of the best validation figure) and `rival.json`, which tells how it was run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nnunet_dataset as dataset

PROCESSES, THREADS = (0, 1, 2), (1, 2)
STEPS_BEFORE, STEPS_MEASURED, STEPS_OF_CHOSEN = 1, 3, 10
ITERATIONS, VALIDATION_ITERATIONS, LEAST_EPOCHS = 25, 2, 10
TRAINER = "BudgetTrainer"
CHECKPOINTS = {"predictions": "checkpoint_final.pth", "predictions_best": "checkpoint_best.pth"}


def trainer_class() -> type:
    """nnU-Net's trainer with settable lengths, and the seconds its training took in a file, over all starts."""
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    class BudgetTrainer(nnUNetTrainer):
        epochs, iterations, validation_iterations = 1, 1, 1

        def __init__(self, plans: dict, configuration: str, fold: int, dataset_json: dict, device: Any) -> None:
            super().__init__(plans, configuration, fold, dataset_json, device)
            self.num_epochs, self.num_iterations_per_epoch = self.epochs, self.iterations
            self.num_val_iterations_per_epoch = self.validation_iterations
            self.save_every = 1
            self.logger.plot_progress_png = lambda folder: None

        def plot_network_architecture(self) -> None:
            pass

        @property
        def clock(self) -> Path:
            return Path(self.output_folder) / "seconds.json"

        def on_train_start(self) -> None:
            self.seconds_before = json.loads(self.clock.read_text())["seconds"] if self.current_epoch else 0.0
            self.begin = time.perf_counter()
            super().on_train_start()

        def on_epoch_end(self) -> None:
            super().on_epoch_end()
            seconds = self.seconds_before + time.perf_counter() - self.begin
            self.clock.write_text(json.dumps({"seconds": seconds, "epochs": self.current_epoch}))

        def save_checkpoint(self, filename: str) -> None:
            super().save_checkpoint(filename + ".part")
            Path(filename + ".part").replace(filename)

    BudgetTrainer.__name__ = TRAINER
    return BudgetTrainer


def make_trainer(cls: type, work: Path, fold: int) -> Any:
    import torch

    plans = dataset.plans(work) | {"continue_training": False}
    return cls(plans, dataset.CONFIGURATION, fold, dataset.dataset_json(work), torch.device("cpu"))


def measure(work: Path, fold: int) -> dict[str, Any]:
    """Seconds a step of each number of processes and threads, data included; of the fastest, more steps, and those of validation."""
    import torch

    trainer = make_trainer(trainer_class(), work, fold)
    trainer.initialize()
    trainer.set_deep_supervision_enabled(True)
    trainer.network.train()

    def run(processes: int, threads: int, steps: int) -> tuple[list[float], float]:
        os.environ.update({"nnUNet_n_proc_DA": str(processes)})
        torch.set_num_threads(threads)
        batches, validation = trainer.get_dataloaders()
        seconds = []
        for _ in range(STEPS_BEFORE + steps):
            begin = time.perf_counter()
            trainer.train_step(next(batches))
            seconds.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        with torch.no_grad():
            trainer.validation_step(next(validation))
        of_validation = time.perf_counter() - begin
        for loader in (batches, validation):
            if processes:
                loader._finish()
        return seconds[STEPS_BEFORE:], of_validation

    cores = len(os.sched_getaffinity(0))
    tried = {(0, t): statistics.median(run(0, t, STEPS_MEASURED)[0]) for t in THREADS if t <= cores}
    _, threads = min(tried, key=tried.get)
    tried |= {(p, threads): statistics.median(run(p, threads, STEPS_MEASURED)[0]) for p in PROCESSES if p}
    processes, threads = min(tried, key=tried.get)
    seconds, of_validation = run(processes, threads, STEPS_OF_CHOSEN)
    return {
        "tried": [{"processes": p, "threads": t, "seconds_per_step": s} for (p, t), s in tried.items()],
        "processes": processes,
        "threads": threads,
        "seconds_per_step": statistics.mean(seconds),
        "seconds_per_validation_step": of_validation,
    }


def lengths(measured: dict[str, Any], minutes: float) -> dict[str, int]:
    """Epochs, and steps of each; at least `LEAST_EPOCHS` epochs, so that the learning rate comes down in as many steps."""
    epoch = ITERATIONS * measured["seconds_per_step"] + VALIDATION_ITERATIONS * measured["seconds_per_validation_step"]
    if minutes * 60 / epoch >= LEAST_EPOCHS:
        return {"epochs": round(minutes * 60 / epoch), "iterations": ITERATIONS, "validation_iterations": VALIDATION_ITERATIONS}
    left = minutes * 60 / LEAST_EPOCHS - measured["seconds_per_validation_step"]
    return {"epochs": LEAST_EPOCHS, "iterations": max(int(left / measured["seconds_per_step"]), 1), "validation_iterations": 1}


def train(work: Path, fold: int, plan: dict[str, Any]) -> dict[str, Any]:
    """Train a fold, or go on with it; the seconds and epochs it took."""
    import torch

    cls = trainer_class()
    cls.epochs, cls.iterations, cls.validation_iterations = (plan[key] for key in ("epochs", "iterations", "validation_iterations"))
    os.environ.update({"nnUNet_n_proc_DA": str(plan["processes"])})
    torch.set_num_threads(plan["threads"])
    trainer = make_trainer(cls, work, fold)
    folder = Path(trainer.output_folder)
    if not (folder / "checkpoint_final.pth").is_file():
        if (folder / "checkpoint_latest.pth").is_file():
            trainer.load_checkpoint(str(folder / "checkpoint_latest.pth"))
        trainer.run_training()
    return json.loads(trainer.clock.read_text())


def predict(work: Path, folds: list[int], threads: int) -> None:
    """The test cases, as nnU-Net predicts them: mirrored, windows half over each other, several folds averaged."""
    import torch
    from nnunetv2.inference import predict_from_raw_data
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    torch.set_num_threads(threads)
    # By name, nnU-Net would import every trainer it has, some of which need a torchvision made for this very PyTorch.
    predict_from_raw_data.recursive_find_trainer_class_by_name = lambda name: nnUNetTrainer
    model = work / "results" / dataset.NAME / f"{TRAINER}__{dataset.PLANS}__{dataset.CONFIGURATION}"
    for name, checkpoint in CHECKPOINTS.items():
        predictor = predict_from_raw_data.nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
        predictor.initialize_from_trained_model_folder(str(model), folds, checkpoint)
        (work / name).mkdir(exist_ok=True)
        predictor.predict_from_files_sequential(str(work / "raw" / dataset.NAME / "imagesTs"), str(work / name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True, help="of training, of each fold")
    parser.add_argument("--folds", type=int, nargs="+", default=[0], help="0: the split's own parts; 1 to 5: nnU-Net's cross-validation of them")
    given = parser.parse_args()
    work = given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    dataset.set_environment(work)
    dataset.prepared(given.data, given.split, work)
    record = work / "rival.json"
    if record.is_file():
        plan = json.loads(record.read_text(encoding="utf-8"))
        if plan["minutes"] != given.minutes:
            raise SystemExit(f"{work} holds a run of {plan['minutes']} minutes, not {given.minutes:g}; name another folder with --work.")
    else:
        measured = measure(work, given.folds[0])
        configuration = dataset.plans(work)["configurations"][dataset.CONFIGURATION]
        plan = {"minutes": given.minutes} | lengths(measured, given.minutes) | measured
        plan |= {key: configuration[key] for key in ("batch_size", "patch_size")}
        plan |= {"versions": {"python": platform.python_version()} | {name: version(name) for name in ("nnunetv2", "torch")}, "trained": {}}
        record.write_text(json.dumps(plan, indent=1), encoding="utf-8")
    for fold in given.folds:
        plan["trained"][str(fold)] = train(work, fold, plan)
        record.write_text(json.dumps(plan, indent=1), encoding="utf-8")
    predict(work, given.folds, plan["threads"])
    print(json.dumps(plan, indent=1))


if __name__ == "__main__":
    main()
