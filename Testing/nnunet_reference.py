"""The real nnU-Net, to compare with: plans, trains and predicts with small networks. Run as a program, because nnU-Net takes its folders
from the environment when it is imported:

    python nnunet_reference.py WORK DATA     WORK: an empty folder; DATA: images and labels of the Medical Segmentation Decathlon

WORK then holds `results/<dataset>/<trainer__plans__configuration>/`, and `answers/<model>/` with an .npz for each test case: for each of `KINDS`
labels (I, J, K) and probabilities (L, I, J, K) on the image's own grid. `images/<dataset>/` holds the test images.
"""

from __future__ import annotations

import json
import multiprocessing
import multiprocessing.pool
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import nibabel
import numpy as np
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

TRAINING_CASES, TEST_CASES = 20, 5
TRAINER = "nnUNetTrainer_1epoch"
DATASETS = {"plain": "Dataset901_Plain", "regions": "Dataset902_Regions"}
MODELS = {
    "3d": ("plain", "nnUNetPlans", "3d_fullres", (0, 1)),
    "2d": ("plain", "nnUNetPlans", "2d", (0,)),
    "regions": ("regions", "nnUNetResEncUNetMPlans", "3d_fullres", (0,)),
}
"""Dataset, plans, configuration and folds of each model."""
ITERATIONS = {"3d": 120, "2d": 120, "regions": 200}
KINDS = ("plain", "mirrored")
MIRRORED_CASES = 2
ORIENTATIONS = ("RAS", "LPS", "PIR", "SLA", "IRP")
"""How the images of the second dataset lie in their files, one after the other."""


def folder_name(model: str) -> str:
    dataset, plans, configuration, _ = MODELS[model]
    return f"{DATASETS[dataset]}/{TRAINER}__{plans}__{configuration}"


def write_datasets(work: Path, data: Path) -> None:
    cases = sorted(path.name for path in (data / "imagesTr").glob("hippocampus_*.nii.gz"))[: TRAINING_CASES + TEST_CASES]
    plain = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "Anterior": 1, "Posterior": 2}}
    regions = {
        "channel_names": {"0": "T1", "1": "CT"},
        "labels": {"background": 0, "hippocampus": [1, 2], "posterior": 2, "ignore": 3},
        "regions_class_order": [1, 2],
        "overwrite_image_reader_writer": "NibabelIOWithReorient",
    }
    for dataset, description in (("plain", plain), ("regions", regions)):
        folder = work / "raw" / DATASETS[dataset]
        for name in (folder / "imagesTr", folder / "labelsTr", work / "images" / dataset):
            name.mkdir(parents=True)
        (folder / "dataset.json").write_text(json.dumps(description | {"numTraining": TRAINING_CASES, "file_ending": ".nii.gz"}))
        for n, name in enumerate(cases):
            image, labels = (nibabel.load(data / part / name) for part in ("imagesTr", "labelsTr"))
            channels, truth = [np.asarray(image.dataobj, np.float32)], np.asarray(labels.dataobj, np.uint8)
            affine = image.affine
            if dataset == "regions":
                channels, truth, affine = _thick_slices(channels[0], truth, affine)
                truth[..., -1] = 3
            change = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(ORIENTATIONS[n % len(ORIENTATIONS)] if dataset == "regions" else "RAS"))
            target = folder / "imagesTr" if n < TRAINING_CASES else work / "images" / dataset
            for number, channel in enumerate(channels):
                nibabel.save(nibabel.Nifti1Image(channel, affine).as_reoriented(change), target / name.replace(".nii.gz", f"_{number:04}.nii.gz"))
            if n < TRAINING_CASES:
                nibabel.save(nibabel.Nifti1Image(truth, affine).as_reoriented(change), folder / "labelsTr" / name)


def _thick_slices(image: np.ndarray, truth: np.ndarray, affine: np.ndarray) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Every fourth slice from front to back; a border of zeros, which nnU-Net crops; a second channel in the range of CT."""
    scaled = image / image.max()
    channels = [np.pad(channel[:, ::4], ((6, 6), (1, 0), (4, 9))) for channel in (1000 * scaled, 400 * scaled**2 - 100)]
    channels[1][channels[0] == 0] = 0
    affine = affine @ np.diag([1.0, 4.0, 1.0, 1.0])
    return channels, np.pad(truth[:, ::4], ((6, 6), (1, 0), (4, 9))), affine


def plan(dataset: str, work: Path) -> None:
    from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
    from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
    from nnunetv2.experiment_planning.experiment_planners.residual_unets.residual_encoder_unet_planners import nnUNetPlannerResEncM
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor

    number = int(DATASETS[dataset][7:10])
    extractor = DatasetFingerprintExtractor(number, num_processes=1)
    extractor.show_progress_bar = False
    extractor.run()
    # A grid unlike the images', and its coarsest axis in the middle, so that nnU-Net resamples and transposes.
    spacing = (1.0, 1.6, 0.8) if dataset == "plain" else (1.1, 3.5, 0.9)

    class Small(ExperimentPlanner if dataset == "plain" else nnUNetPlannerResEncM):
        def __init__(self, *args, **kwargs) -> None:
            super().__init__(*args, **kwargs)
            self.UNet_base_num_features, self.UNet_max_features_3d, self.UNet_max_features_2d = 8, 24, 24

    Small(number, overwrite_target_spacing=list(spacing), **({"gpu_memory_target_in_gb": 0.2} if dataset == "plain" else {})).plan_experiment()
    plans = next(plans for kept, plans, _, _ in MODELS.values() if kept == dataset)
    path = work / "preprocessed" / DATASETS[dataset] / f"{plans}.json"
    content = json.loads(path.read_text())
    for configuration in content["configurations"].values():
        if "batch_size" in configuration:
            configuration["batch_size"] = 2 if len(configuration["patch_size"]) == 3 else 12
            # Smaller than the images, so that windows overlap.
            limits = (16, 32, 32)[-len(configuration["patch_size"]) :]
            configuration["patch_size"] = [min(size, limit) for size, limit in zip(configuration["patch_size"], limits, strict=True)]
    path.write_text(json.dumps(content))
    preprocessor = DefaultPreprocessor(verbose=False)
    preprocessor.show_progress_bar = False
    for configuration in [configuration for kept, _, configuration, _ in MODELS.values() if kept == dataset]:
        preprocessor.run(number, configuration, plans, num_processes=1)


def train(model: str, work: Path) -> None:
    import torch
    from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    class Trainer(nnUNetTrainer):
        """nnU-Net's own trainer of one epoch, shorter: few iterations, another optimiser, no augmentation, no pictures."""

        def __init__(self, plans: dict, configuration: str, fold: int, dataset_json: dict, device: torch.device) -> None:
            super().__init__(plans, configuration, fold, dataset_json, device)
            self.num_epochs, self.num_iterations_per_epoch, self.num_val_iterations_per_epoch = 1, ITERATIONS[model], 1
            self.initial_lr, self.oversample_foreground_percent = 4e-3, 1.0
            self.logger.plot_progress_png = lambda folder: None

        def configure_optimizers(self) -> tuple:
            optimizer = torch.optim.Adam(self.network.parameters(), self.initial_lr)
            return optimizer, PolyLRScheduler(optimizer, self.initial_lr, self.num_epochs)

        def configure_rotation_dummyDA_mirroring_and_inital_patch_size(self) -> tuple:  # noqa: N802
            rotation, flat, _, axes = super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
            # Not from front to back, which tells the labels apart.
            self.inference_allowed_mirroring_axes = axes[-2:]
            return rotation, flat, self.configuration_manager.patch_size, axes[-2:]

        @staticmethod
        def get_training_transforms(*args, regions=None, ignore_label=None, **kwargs) -> object:
            return nnUNetTrainer.get_validation_transforms(args[2], regions=regions, ignore_label=ignore_label)

        def plot_network_architecture(self) -> None:
            pass

    Trainer.__name__ = TRAINER
    dataset, plans, configuration, folds = MODELS[model]
    folder = work / "preprocessed" / DATASETS[dataset]
    for fold in folds:
        torch.manual_seed(fold)
        np.random.seed(fold)
        content = json.loads((folder / f"{plans}.json").read_text()) | {"continue_training": False}
        Trainer(content, configuration, fold, json.loads((folder / "dataset.json").read_text()), torch.device("cpu")).run_training()


def predict(model: str, work: Path) -> None:
    import torch
    from nnunetv2.inference import predict_from_raw_data
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    # By name, nnU-Net would import every trainer it has, some of which need a torchvision made for this very PyTorch.
    predict_from_raw_data.recursive_find_trainer_class_by_name = lambda name: nnUNetTrainer
    predictor = predict_from_raw_data.nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    dataset, _, _, folds = MODELS[model]
    predictor.initialize_from_trained_model_folder(str(work / "results" / folder_name(model)), folds)
    reader = predictor.plans_manager.image_reader_writer_class()
    (work / "answers" / model).mkdir(parents=True)
    for number, first in enumerate(sorted((work / "images" / dataset).glob("*_0000.nii.gz"))):
        image, properties = reader.read_images(sorted(map(str, first.parent.glob(first.name.replace("_0000", "_*")))))
        answer = {}
        for kind in KINDS if number < MIRRORED_CASES else KINDS[:1]:
            predictor.use_mirroring = kind == "mirrored"
            labels, probabilities = predictor.predict_single_npy_array(image, dict(properties), None, None, True)
            arrays = np.concatenate([labels[None].astype(np.float32), probabilities]).transpose(0, 3, 2, 1)
            if "nibabel_stuff" in properties:
                affines = properties["nibabel_stuff"]
                back = ornt_transform(axcodes2ornt("RAS"), io_orientation(affines["original_affine"]))
                turned = [nibabel.Nifti1Image(array, affines["reoriented_affine"]).as_reoriented(back) for array in arrays]
                arrays = np.stack([array.get_fdata(dtype=np.float32) for array in turned])
            answer |= {f"{kind} labels": arrays[0].astype(np.uint8), f"{kind} probabilities": arrays[1:]}
        np.savez_compressed(work / "answers" / model / first.name.replace("_0000.nii.gz", ".npz"), **answer)


def main() -> None:
    work, data = (Path(argument).resolve() for argument in sys.argv[1:])
    os.environ.update({f"nnUNet_{name}": str(work / name) for name in ("raw", "preprocessed", "results")})
    # Threads in place of nnU-Net's pools of processes, each of which would import PyTorch again; and one thread for PyTorch itself: such small
    # networks gain nothing from more, and lose much on a busy computer.
    os.environ.update({"nnUNet_n_proc_DA": "1", "nnUNet_def_n_proc": "1", "OMP_NUM_THREADS": "1"})
    multiprocessing.get_context = lambda method=None: SimpleNamespace(Pool=multiprocessing.pool.ThreadPool)
    write_datasets(work, data)
    for dataset in DATASETS:
        plan(dataset, work)
    # Training batches are made between the steps, without processes of their own.
    os.environ.update({"nnUNet_n_proc_DA": "0"})
    for model in MODELS:
        train(model, work)
        predict(model, work)


if __name__ == "__main__":
    main()
