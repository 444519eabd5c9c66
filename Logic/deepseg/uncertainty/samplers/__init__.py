"""How to draw samples of a model's answer. A sampler says what it needs of a model, and which passes of the network make its samples."""

from __future__ import annotations

from deepseg.errors import UncertaintyError
from deepseg.uncertainty.samplers.deep_ensemble import DeepEnsemble
from deepseg.uncertainty.samplers.deep_supervision import DeepSupervision
from deepseg.uncertainty.samplers.learned_variance import LearnedVariance
from deepseg.uncertainty.samplers.monte_carlo_dropout import MonteCarloDropout
from deepseg.uncertainty.samplers.passes import Pass, Sampler
from deepseg.uncertainty.samplers.single_pass import SinglePass
from deepseg.uncertainty.samplers.test_time_augmentation import TestTimeAugmentation

SAMPLERS: dict[str, Sampler] = {
    "single-pass": SinglePass(),
    "deep-supervision": DeepSupervision(),
    "learned-variance": LearnedVariance(),
    "augmentation": TestTimeAugmentation(),
    "dropout": MonteCarloDropout(),
    "ensemble": DeepEnsemble(),
}


def sampler_named(name: str) -> Sampler:
    """A registered sampler.

    Raises:
        UncertaintyError: there is none of this name.
    """
    if name not in SAMPLERS:
        raise UncertaintyError(f"There is no sampler named '{name}'; there are {', '.join(SAMPLERS)}.")
    return SAMPLERS[name]


__all__ = ["SAMPLERS", "Pass", "Sampler", "sampler_named"]
