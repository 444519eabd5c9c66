"""The stream of samples is a function of seed, epoch and place alone."""

from dataclasses import replace
from multiprocessing.reduction import ForkingPickler

import pytest
import torch
import yaml

from deepseg_train.augmentation import AugmentationSettings, PatchGrid
from deepseg_train.augmentation.mixup import MixupSettings
from deepseg_train.config import parse_config
from deepseg_train.errors import ConfigError
from deepseg_train.loading import loader as loader_module
from deepseg_train.loading.loader import TrainingLoader, training_loader, validation_loader, worker_count
from deepseg_train.loading.samples import SampleKey, TrainingSamples

from ..conftest import SHIPPED_CONFIG


def epochs(loader, count):
    return [[{key: value.clone() for key, value in batch.items()} for batch in loader] for _ in range(count)]


def assert_same(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert a.keys() == b.keys()
        assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.fixture
def whole(samples):
    """Three epochs as one process sees them."""
    return epochs(TrainingLoader(samples, workers=0), 3)


def test_batches_are_patches(whole):
    batch = whole[0][0]
    assert batch["image"].shape == batch["label"].shape == (4, 1, 12, 16, 14)
    assert (batch["image"].dtype, batch["label"].dtype) == (torch.float32, torch.uint8)
    assert batch.keys() == {"image", "label"}
    seen = [tuple(image.flatten().tolist()) for epoch in whole for batch in epoch for image in batch["image"]]
    assert len(set(seen)) == 60  # no patch comes twice


def test_worker_processes_change_nothing(samples, whole):
    for count in (1, 2):
        found = epochs(TrainingLoader(samples, workers=count), 2)
        for mine, reference in zip(found, whole, strict=False):
            assert_same(mine, reference)


def test_threads_change_nothing(samples, whole):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert_same(epochs(TrainingLoader(samples, workers=0), 1)[0], whole[0])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_processes_share_each_batch(samples, whole):
    shares = [epochs(TrainingLoader(samples, workers=0, world=2, rank=rank), 2) for rank in range(2)]
    for epoch in range(2):
        joined = [{key: torch.cat([a[key], b[key]]) for key in a} for a, b in zip(shares[0][epoch], shares[1][epoch], strict=True)]
        assert_same(joined, whole[epoch])


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("done", [0, 2, 5])
def test_a_run_that_goes_on_sees_what_it_would_have_seen(samples, whole, workers, done):
    first = TrainingLoader(samples, workers)
    epochs(first, 1)
    batches = iter(first)
    for _ in range(done):
        next(batches)
    later = TrainingLoader(samples, workers)
    later.load_state_dict(first.state_dict())
    iter(later)  # Lightning asks for an iterator it may not use
    rest = epochs(later, 1)[0]
    if done < 5:
        assert_same(rest, whole[1][done:])
        rest = epochs(later, 1)[0]
    assert_same(rest, whole[2])


def test_an_epoch_that_was_left_early_is_not_seen_again(samples, whole):
    loader = TrainingLoader(samples, workers=0)
    next(iter(loader))
    assert_same(epochs(loader, 1)[0], whole[1])


def test_all_cases_take_turns(samples, prepared, spec):
    def used(of, epoch):
        return [of.record(SampleKey(epoch, n)).case for n in range(len(of))]

    in_turn = used(samples, 0) + used(samples, 1)
    turns = [in_turn[n : n + 10] for n in range(0, 40, 10)]
    assert all(sorted(turn) == list(range(10)) for turn in turns)
    assert len({tuple(turn) for turn in turns}) == 4
    whole_epochs = TrainingSamples(prepared, PatchGrid.of(spec), AugmentationSettings(), 3, batch_size=4, steps=2)
    assert len(set(used(whole_epochs, 0))) == len(set(used(whole_epochs, 1))) == 8
    assert used(whole_epochs, 0) != used(whole_epochs, 1)
    filled = TrainingSamples(prepared, PatchGrid.of(spec), AugmentationSettings(), 3, batch_size=4, steps=3)
    for epoch in range(2):  # a last batch of two and two more makes no case miss its turn
        assert set(used(filled, epoch)) == set(range(10))
    other_seed = TrainingSamples(prepared, PatchGrid.of(spec), AugmentationSettings(), 4, batch_size=4, steps=2)
    assert used(other_seed, 0) != used(whole_epochs, 0)


def test_a_sample_is_replayed_from_its_record(samples, whole):
    record = samples.record(SampleKey(1, 6))
    assert torch.equal(samples.replay(record)["image"], whole[1][1]["image"][2])


def test_mixup_blends_with_the_next_patch_of_the_whole_batch(prepared, spec, samples, whole):
    settings = replace(AugmentationSettings(), mixup=MixupSettings(0.5, 1.0))
    mixing = TrainingSamples(prepared, PatchGrid.of(spec), settings, seed=3, batch_size=4, steps=5)
    found = epochs(TrainingLoader(mixing, workers=0), 1)[0]
    blended = ["mix" in batch for batch in found]
    assert set(blended) == {True, False}
    for batch, plain in zip(found, whole[0], strict=True):
        if "mix" not in batch:
            assert_same([batch], [plain])
            continue
        share = batch["mix"].view(4, 1, 1, 1, 1)
        assert batch["mix"].unique().numel() == 1
        assert torch.allclose(batch["image"], (1 - share) * plain["image"] + share * plain["image"].roll(-1, 0), atol=1e-6)
        assert torch.equal(batch["label"], plain["label"])
        assert torch.equal(batch["label_mixed"], plain["label"].roll(-1, 0))
    halves = [epochs(TrainingLoader(mixing, 0, 2, rank), 1)[0] for rank in range(2)]
    assert_same([{key: torch.cat([a[key], b[key]]) for key in a} for a, b in zip(*halves, strict=True)], found)


def test_workers_get_no_copies_of_the_cases(samples, prepared):
    size = sum(prepared[n]["image"].nbytes for n in range(len(prepared)))
    assert len(ForkingPickler.dumps(samples)) < 0.2 * size


def test_a_config_makes_a_loader(cases):
    def config(**sections):
        model = yaml.safe_load(SHIPPED_CONFIG.read_text(encoding="utf-8"))["model"]
        return parse_config({"model": model, "split": "split.json", **sections}, SHIPPED_CONFIG)

    loader = training_loader(config(training={"batch_size": 4, "workers": 0, "seed": 5}), cases, world=2, rank=1)
    assert len(loader) == 3  # each of ten cases once, and two again
    assert next(iter(loader))["image"].shape == (2, 1, 40, 56, 40)
    assert len(training_loader(config(training={"batch_size": 16, "workers": 0}), cases)) == 1
    assert len(training_loader(config(training={"steps_per_epoch": 250, "workers": 0}), cases)) == 250
    with pytest.raises(ConfigError, match="batch_size is 4, which 3 processes cannot share alike"):
        training_loader(config(training={"batch_size": 4}), cases, world=3)
    with pytest.raises(ConfigError, match=r"mixup blends the patches of a batch, and training\.batch_size is 1"):
        training_loader(config(training={"batch_size": 1}, augmentation={"mixup": {"probability": 0.5}}), cases)


def test_a_gpu_has_several_workers_and_a_processor_one(cases, monkeypatch):
    model = yaml.safe_load(SHIPPED_CONFIG.read_text(encoding="utf-8"))["model"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for given, expected in (({}, 1), ({"workers": None}, 1), ({"workers": 2}, 2), ({"workers": 0}, 0)):
        config = parse_config({"model": model, "split": "split.json", "training": given}, SHIPPED_CONFIG)
        assert training_loader(config, cases).num_workers == expected
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    for cores, world, expected in ((16, 1, 8), (16, 4, 4), (6, 1, 6), (2, 4, 1)):
        monkeypatch.setattr(loader_module.os, "sched_getaffinity", lambda process, cores=cores: set(range(cores)), raising=False)
        assert worker_count(world) == expected
    # Of two machines that train together each has half of the processes.
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(loader_module.os, "sched_getaffinity", lambda process: set(range(12)), raising=False)
    assert worker_count(4) == 6
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(loader_module, "worker_count", lambda world: world)
    config = parse_config({"model": model, "split": "split.json"}, SHIPPED_CONFIG)
    assert training_loader(config, cases, world=2).num_workers == 2


def test_validation_is_of_whole_cases_in_order(prepared):
    for n, case in enumerate(validation_loader(prepared)):
        assert torch.equal(case["image"][0], prepared[n]["image"])
        assert torch.equal(case["label"][0], prepared[n]["label"])
