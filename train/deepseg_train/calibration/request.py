"""What `deepseg-train calibrate` is asked for, checked before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

from deepseg import api
from deepseg.cost import blank_network
from deepseg.uncertainty.samplers import sampler_named
from deepseg_train.errors import DatasetError


def samplers_of(texts: Sequence[str], bundle: api.ModelBundle) -> list[tuple[str, int]]:
    """Ways of sampling from 'SAMPLER' or 'SAMPLER:SAMPLES'.

    Raises:
        UncertaintyError: there is no such sampler, or it cannot work with this model or so many samples.
        DatasetError: the number is none.
    """
    network, samplers = blank_network(bundle.spec), []
    for text in texts:
        name, _, number = text.partition(":")
        sampler = sampler_named(name)
        if number and not number.isdecimal():
            raise DatasetError(f"--samplers {text}: expected a number of samples after the colon, for example augmentation:2.")
        samples = int(number) if number else sampler.samples
        sampler.refuse_unfit(bundle.spec, network, samples)
        samplers.append((name, samples))
    return samplers


def groups_of(given: Sequence[Sequence[str]], spec: api.ModelSpec) -> dict[str, tuple[int, ...]]:
    """Label values by the name of what they make up together, from lists of a name and labels' names.

    Raises:
        DatasetError: a label is unknown, or labels may overlap, so that their volumes cannot be added.
    """
    values = {label.name: label.value for label in spec.labels}
    if given and spec.overlapping:
        raise DatasetError(f"The labels of {spec.id} may overlap, so their volumes cannot be added. Leave --group out.")
    for name, *labels in given:
        unknown = [label for label in labels if label not in values]
        if unknown or not labels or name in values:
            raise DatasetError(f"--group {name} {' '.join(labels)}: expected a new name and then labels of {spec.id}: {', '.join(values)}.")
    return {name: tuple(values[label] for label in labels) for name, *labels in given}
