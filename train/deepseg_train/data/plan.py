"""What training a dataset asks for, by nnU-Net's published rules, each decision with its reason.

Isensee et al. 2021, "nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation", doi:10.1038/s41592-020-01008-z.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepseg.spec import InputSpec
from deepseg_train.data.channels import plan_inputs, steps_text
from deepseg_train.data.fingerprint import Fingerprint
from deepseg_train.data.patch import coarsest_axis, plan_batch, plan_patch, plan_steps, times
from deepseg_train.data.topology import Topology
from deepseg_train.errors import ConfigError

ANISOTROPY = 3.0
"""Voxels so many times longer along one axis than along the others, with as many times fewer of them, are thick slices."""

USUAL_MEMORY_GB = 8.0


@dataclass(frozen=True)
class Plan:
    """Proposed settings; axes are R, A, S.

    Attributes:
        spacing_mm: of the model's grid.
        median_shape: of the images on that grid.
        inputs: what each channel is, and how it is normalised.
        label_names: by value as the files have it.
        topology: the patch and the network's stages.
        batch_size: patches.
        steps_per_epoch: batches of an epoch; None for each case once.
        thick_axis: across the slices, where patches turn about this axis only; None where they turn about all.
        reasons: a sentence or two for each decision.
    """

    spacing_mm: tuple[float, float, float]
    median_shape: tuple[float, float, float]
    inputs: tuple[InputSpec, ...]
    label_names: dict[int, str]
    topology: Topology
    batch_size: int
    steps_per_epoch: int | None
    thick_axis: int | None
    reasons: tuple[str, ...]

    def explain(self) -> str:
        """A table of the decisions, and below it the reasons."""
        rows = [
            ("voxel size (R A S)", f"{times(self.spacing_mm)} mm"),
            ("median image there", f"{times(self.median_shape)} voxels"),
            ("patch", f"{times(self.topology.patch)} voxels"),
            ("batch", f"{self.batch_size} patches"),
            ("epoch", f"{self.steps_per_epoch} steps" if self.steps_per_epoch else "each case once"),
            ("labels", ", ".join(f"{value} {name}" for value, name in self.label_names.items())),
            *[(f"channel {n}", f"{item.name} ({item.modality}): {steps_text(item.steps)}") for n, item in enumerate(self.inputs)],
            *[(f"stage {n}", _stage(self.topology, n)) for n in range(len(self.topology.strides))],
        ]
        width = max(len(name) for name, _ in rows)
        return "\n".join([*(f"{name:<{width}}  {value}" for name, value in rows), "", *(f"- {reason}" for reason in self.reasons)])


def plan(fingerprint: Fingerprint, memory_gb: float = USUAL_MEMORY_GB, training_cases: int | None = None) -> Plan:
    """Plan a 3D U-Net for a dataset.

    Args:
        fingerprint: of the dataset.
        memory_gb: of the GPU to train on.
        training_cases: how many of the cases are trained on; None for all.

    Raises:
        ConfigError: the memory is not above 0, or no patch fits it.
        DatasetError: the images are too small for a network of three stages.
    """
    if not memory_gb > 0:
        raise ConfigError(f"The memory to plan for is {memory_gb} GB; expected more than 0.")
    spacing, why_spacing = _plan_spacing(fingerprint)
    shapes = [np.asarray(case.spacing_mm) / spacing * case.shape for case in fingerprint.cases]
    shape = np.median([[round(side) for side in sides] for sides in shapes], axis=0)
    inputs, why_inputs = plan_inputs(fingerprint)
    classes = len(fingerprint.label_names) + 1
    topology, why_patch = plan_patch(spacing, shape, classes, memory_gb)
    batch, why_batch = plan_batch(topology, float(np.prod(shape)) * len(fingerprint.cases), classes, memory_gb)
    voxels = [float(np.prod(sides)) / case.kept for sides, case in zip(shapes, fingerprint.cases, strict=True)]
    steps, why_steps = plan_steps(topology, voxels, len(voxels) if training_cases is None else training_cases, batch)
    thick, why_thick = _thick_axis(spacing, topology)
    reasons = (why_spacing, *why_inputs, *why_patch, why_batch, why_steps, *why_thick, _sizes(fingerprint))
    return Plan(tuple(spacing.tolist()), tuple(shape.tolist()), inputs, fingerprint.label_names, topology, batch, steps, thick, reasons)


def _sizes(fingerprint: Fingerprint) -> str:
    """Small labels, and those of few cases, are hard to learn."""
    told = []
    for value, name in fingerprint.label_names.items():
        sizes = fingerprint.sizes_ml(value)
        told.append(f"{name} {np.median(sizes):.3g} mL in {len(sizes)} of {len(fingerprint.cases)} cases" if sizes else f"{name} in no case")
    return f"Median sizes of the labels: {', '.join(told)}."


def _plan_spacing(fingerprint: Fingerprint) -> tuple[np.ndarray, str]:
    """The median, and the finer tenth of the cases across thick slices."""
    spacings = np.array([case.spacing_mm for case in fingerprint.cases])
    target, shape = np.median(spacings, axis=0), np.asarray(fingerprint.median_shape)
    worst = coarsest_axis(target)
    others = [axis for axis in range(3) if axis != worst]
    why = f"Voxel size: the median of the {len(spacings)} cases, axis by axis."
    if target[worst] > ANISOTROPY * target[others].max() and shape[worst] * ANISOTROPY < shape[others].min():
        median, tenth, widest = target[worst], np.percentile(spacings[:, worst], 10), target[others].max()
        target[worst] = tenth if tenth >= widest else widest + 1e-5
        why += (
            f" Along {'RAS'[worst]} voxels are more than {ANISOTROPY:g} times longer (median {median:.4g} mm) and as many times fewer, so that axis "
            "takes the 10th percentile, which keeps the slices of the finer cases."
        )
    return target, why


def _thick_axis(spacing: np.ndarray, topology: Topology) -> tuple[int | None, list[str]]:
    """The axis across thick slices, or across a patch of few slices (nnU-Net's rule for turning in two dimensions), and why."""
    axis = coarsest_axis(spacing)
    longer = spacing[axis] / max(side for other, side in enumerate(spacing) if other != axis)
    fewer = max(topology.patch) / topology.patch[axis]
    if max(longer, fewer) <= ANISOTROPY:
        return None, []
    what = f"voxels are {longer:.3g} times longer" if longer > ANISOTROPY else f"the patch is {fewer:.3g} times smaller"
    return axis, [f"Rotation: only within the slices, because along {'RAS'[axis]} {what}; turned any other way, patches would reach beyond them."]


def _stage(topology: Topology, number: int) -> str:
    stride, kernel = topology.strides[number], topology.kernels[number]
    return f"{topology.features[number]} channels, kernel {times(kernel)}, stride {times(stride)}"
