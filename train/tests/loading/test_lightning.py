"""The loader in Lightning's hands: a run that goes on sees the samples it would have seen, and what waiting for data takes is told."""

import csv
import re
import subprocess
import sys
import time

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from deepseg_train.loading.loader import TrainingLoader
from deepseg_train.training.data_time import DataTime

# Lightning's own: its advice, and what it calls in PyTorch.
pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:.*LeafSpec.*:FutureWarning", "ignore:The dirpath has changed")


class Watching(lightning.LightningModule):
    """Remembers the samples it is given; takes a while over each where told to."""

    def __init__(self, seconds=0.0):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seconds = seconds
        self.seen = []

    def training_step(self, batch, index):
        time.sleep(self.seconds)
        image = batch["image"] if isinstance(batch, dict) else batch
        self.seen.append((self.current_epoch, float(image.double().sum())))
        return self.weight * image.mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def trainer(folder, epochs, *callbacks):
    return lightning.Trainer(
        default_root_dir=folder,
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        callbacks=list(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
        use_distributed_sampler=False,
    )


@pytest.mark.parametrize("kept", ["epoch", "step"])
def test_a_run_that_goes_on_from_a_checkpoint(samples, tmp_path, kept):
    often = {"every_n_epochs": 1, "save_on_train_epoch_end": True} if kept == "epoch" else {"every_n_train_steps": 7}
    whole = Watching()
    trainer(tmp_path, 3).fit(whole, TrainingLoader(samples, 0))
    assert len(set(whole.seen)) == 15

    def keeping(name):
        return ModelCheckpoint(tmp_path / name, "{step}", save_top_k=-1, **often)

    trainer(tmp_path, 2, keeping("first")).fit(Watching(), TrainingLoader(samples, 0))
    later, done = Watching(), 5 if kept == "epoch" else 7
    checkpoint = tmp_path / "first" / f"step={done}.ckpt"
    trainer(tmp_path, 3, keeping("later")).fit(later, TrainingLoader(samples, 1), ckpt_path=str(checkpoint), weights_only=True)
    assert later.seen == whole.seen[done:]


class Slow(torch.utils.data.Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        time.sleep(0.03)
        return torch.ones(2)


@pytest.mark.parametrize("workers", [0, 2])
def test_waiting_for_data_is_told_apart_from_steps(tmp_path, capsys, workers):
    clock = DataTime()
    run = trainer(tmp_path, 2, clock)
    run.fit(Watching(seconds=0.05), DataLoader(Slow(), 1, num_workers=workers, persistent_workers=workers > 0))
    # Six steps of 0.05 s; the data of each takes 0.03 s, which workers spend meanwhile.
    assert float(run.callback_metrics["time/steps"]) > 0.3
    assert float(run.callback_metrics["time/data"]) == pytest.approx(clock.data)
    assert (clock.data < 0.18) if workers else (clock.data >= 0.18)
    said = [line for line in capsys.readouterr().out.splitlines() if "waited for data" in line]
    assert len(said) == 1
    assert said[0].startswith("Epoch 1: ")


def test_a_fit_whose_cases_another_process_reads_tells_both(small_config, msd_folder, tmp_path):
    values = ["training.workers=1", "training.epochs=2", "schedule.warmup_epochs=0"]
    command = ["-m", "deepseg_train.cli", "fit", "--config", small_config, "--data", msd_folder, "-o", tmp_path / "run", "--set", *values]
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.search(r"^Epoch 1: \d+\.\d s of steps, \d+\.\d s waited for data \(\d+%\)\.", done.stdout, re.MULTILINE)
    with (tmp_path / "run" / "logs" / "version_0" / "metrics.csv").open(encoding="utf-8") as file:
        epochs = [row for row in csv.DictReader(file) if row["train/loss"]]
    assert len(epochs) == 2
    assert all(float(row["time/steps"]) > 0 and float(row["time/data"]) > 0 for row in epochs)
