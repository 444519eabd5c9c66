"""Opening models and importing them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deepseg import model_card
from deepseg.bundle import ModelBundle
from deepseg.locations import find_model
from deepseg.model_card import ModelCard, ReliabilityCurve


def load_model(name: str | Path) -> ModelBundle:
    """Open an installed model by its name, or a model folder by its path.

    Raises:
        ModelError: there is no such model, or its files are damaged, altered or from a newer DeepSeg.
    """
    return ModelBundle.load(find_model(str(name)))


def describe_model(folder: str | Path) -> ModelCard:
    """What a user should know to choose a model, without loading PyTorch; of a damaged model it says what is wrong, and never raises.

    Weights are not read, so damage inside them is found by `load_model`.
    """
    return model_card.describe_model(Path(folder))


def reliability(model: str | Path | ModelBundle) -> tuple[ReliabilityCurve, ...]:
    """How well a model's probabilities hold on held-out cases, by label, without loading PyTorch; empty where it was not calibrated.

    Args:
        model: opened, or its folder or name.

    Raises:
        ModelError: there is no such model, or its calibration is missing or damaged.
    """
    if isinstance(model, ModelBundle):
        return model_card.reliability(model.folder, model.spec.calibration_sha256)
    return model_card.reliability(find_model(str(model)))


def import_monai(source: str | Path, output: str | Path, *, model_id: str | None = None) -> ModelBundle:
    """Make a DeepSeg model of a segmentation bundle of MONAI, for example one of the Model Zoo. Nothing of the bundle is run.

    Args:
        source: the bundle's folder, or a zip file of it.
        output: the new model's folder; must not exist.
        model_id: the new model's id; made of the bundle's name where None.

    Raises:
        ModelError: it is no bundle, is damaged, or needs what DeepSeg has not or does not run (a class, an expression, ...), which is named.
        OutputError: the new model's folder exists or cannot be written.
    """
    from deepseg.importers import monai_bundle

    return monai_bundle.import_monai(Path(source), Path(output), model_id)


def import_nnunet(
    folder: str | Path,
    output: str | Path,
    *,
    model_id: str | None = None,
    folds: Sequence[str] | None = None,
    checkpoint: str = "checkpoint_final.pth",
) -> ModelBundle:
    """Make a DeepSeg model of a results folder of nnU-Net v2. Nothing in that folder is run.

    Args:
        folder: holds plans.json, dataset.json and the folds; for example `.../Dataset004_Hippocampus/nnUNetTrainer__nnUNetPlans__3d_fullres`.
        output: the new model's folder; must not exist.
        model_id: the new model's id; made of the dataset's and the configuration's name where None.
        folds: which of them become members of the ensemble, for example ('0', '1') or ('all',); all numbered ones where None.
        checkpoint: name of each fold's file.

    Raises:
        ModelError: the folder is not nnU-Net v2's, is damaged, or needs what DeepSeg has not (a cascade, an unknown trainer, ...).
        OutputError: the new model's folder exists or cannot be written.
    """
    from deepseg.importers import nnunet

    return nnunet.import_nnunet(Path(folder), Path(output), model_id, folds, checkpoint)
