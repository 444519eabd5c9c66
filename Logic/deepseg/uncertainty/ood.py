"""What about an image, or about a model's answer to it, is unlike the model's training images, and by how much.

Each check compares some figures with their means and deviations over the training images, or the network's deep features with their principal
components (Lee et al. 2018, arXiv:1807.03888, with the components' own variances, and what lies outside them apart). Its limit comes from cases
that were not trained on; all limits together are widened until so few of those are beyond any as was asked for.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from deepseg.results import Finding
from deepseg.spec import ModelSpec
from deepseg.uncertainty.facts import Facts, ImageFacts

_SMALLEST_ML = 1e-3


@dataclass(frozen=True, eq=False)
class Check:
    """One comparison of figures with those of the training images.

    Attributes:
        mean, deviation: (N) of the figures over the training images.
        limit: score beyond which an image is unlike them.
    """

    mean: np.ndarray
    deviation: np.ndarray
    limit: float

    def score(self, figures: np.ndarray) -> float:
        """Root mean square of how many deviations each figure is off."""
        return float(np.sqrt(np.mean(((figures - self.mean) / self.deviation) ** 2)))


@dataclass(frozen=True, eq=False)
class DeepCheck:
    """The same for the network's deep features.

    Attributes:
        mean, deviation: (N) of the features over the training images.
        components: (K, N) orthonormal directions in which they vary most, in deviations.
        spread: (K) deviations along these.
        residual: root mean square of what lies outside them, over the training images.
        limit: score beyond which an image is unlike them.
    """

    mean: np.ndarray
    deviation: np.ndarray
    components: np.ndarray
    spread: np.ndarray
    residual: float
    limit: float

    def distances(self, features: np.ndarray) -> tuple[float, float]:
        """Along the components, in their deviations, and outside them, in what is usual there; both root mean squares."""
        normal = (features - self.mean) / self.deviation
        along = self.components @ normal
        outside = normal - along @ self.components
        return float(np.sqrt(np.mean((along / self.spread) ** 2))), float(np.sqrt(np.mean(outside**2)) / self.residual)

    def score(self, features: np.ndarray) -> float:
        return max(self.distances(features))


@dataclass(frozen=True, eq=False)
class Guard:
    """All checks of a model.

    Attributes:
        checks: by what they compare, keys of `figures_of`.
        deep: of the network's features; None where it tells none.
        level: share of usual cases that all checks together let pass, as far as calibration cases tell.
    """

    checks: dict[str, Check]
    deep: DeepCheck | None
    level: float

    def before(self, image: ImageFacts, spec: ModelSpec) -> list[Finding]:
        """What about the image is unlike the training images, most unusual first."""
        return self._findings(image_figures(image), spec)

    def after(self, facts: Facts, spec: ModelSpec) -> list[Finding]:
        """The same of the image and the model's answer."""
        findings = self._findings(figures_of(facts, spec), spec)
        if self.deep and facts.deep is not None and (score := self.deep.score(facts.deep) / self.deep.limit) > 1:
            beyond = f"{score:.1f} times the usual limit" if score >= 1.05 else "barely beyond the usual limit"
            told = f"What the network makes of the image is unlike what it makes of its training images ({beyond})."
            findings.append(Finding("network", score, told))
        return sorted(findings, key=lambda finding: -finding.score)

    def score(self, facts: Facts, spec: ModelSpec) -> float:
        """The largest ratio of a score to its limit: above 1 something is unlike the training images."""
        scores = [check.score(figures_of(facts, spec)[name]) / check.limit for name, check in self.checks.items()]
        if self.deep and facts.deep is not None:
            scores.append(self.deep.score(facts.deep) / self.deep.limit)
        return max(scores)

    def _findings(self, figures: dict[str, np.ndarray], spec: ModelSpec) -> list[Finding]:
        found = []
        for name in figures.keys() & self.checks.keys():
            check = self.checks[name]
            score = check.score(figures[name]) / check.limit
            if score > 1:
                found.append(Finding(name, score, _told(name, figures[name], check, spec)))
        return sorted(found, key=lambda finding: -finding.score)

    def to_json(self) -> dict[str, Any]:
        return {"level": self.level, "checks": {name: _plain(check) for name, check in self.checks.items()}, "deep": self.deep and _plain(self.deep)}

    @staticmethod
    def from_json(section: dict[str, Any]) -> Guard:
        checks = {name: Check(**_arrays(item)) for name, item in section["checks"].items()}
        return Guard(checks, DeepCheck(**_arrays(section["deep"])) if section["deep"] else None, section["level"])


def image_figures(image: ImageFacts) -> dict[str, np.ndarray]:
    """Figures of the image alone by check; lengths as logarithms, so that twice is as far off as half."""
    return {
        "voxel size": np.log(image.spacing_mm),
        "field of view": np.log(image.extent_mm),
        "orientation": np.array([image.tilt_degrees]),
        "intensities": image.intensities.ravel(),
        "sharpness": np.log(image.sharpness.ravel() + 1e-4),
    }


def figures_of(facts: Facts, spec: ModelSpec) -> dict[str, np.ndarray]:
    """Figures of the image and of each segment by check."""
    figures = image_figures(facts.image)
    for label in spec.labels:
        segment = facts.segments[label.value]
        figures[f"volume of {label.name}"] = np.log([segment.volume_ml + _SMALLEST_ML])
        figures[f"shape of {label.name}"] = np.log([segment.roughness + 0.1, segment.pieces + 1, *(np.asarray(segment.extent_mm) + 1)])
    return figures


def _told(name: str, figures: np.ndarray, check: Check, spec: ModelSpec) -> str:
    usual, seen = np.exp(check.mean), np.exp(figures)
    if name == "voxel size":
        return f"The voxels measure {_by(seen, 2)} mm; those of the training images {_by(usual, 2)} mm."
    if name == "field of view":
        return f"The image, or the box, covers {_by(seen, 0)} mm; the training images about {_by(usual, 0)} mm."
    if name == "orientation":
        return f"The image's axes are tilted by {figures[0]:.0f} degrees against the body's; the training images' by {check.mean[0]:.0f}."
    if name == "intensities":
        return f"The intensity distribution differs from that of the training images ({', '.join(item.name for item in spec.inputs)})."
    if name == "sharpness":
        return f"The image is {'noisier or sharper' if figures.mean() > check.mean.mean() else 'smoother'} than the training images."
    if name.startswith("volume of "):
        return f"{name.removeprefix('volume of ')} measures {seen[0]:.2f} mL; in the training images about {usual[0]:.2f} mL."
    pieces = round(seen[1] - 1)
    seen_as = f"{pieces} piece{'' if pieces == 1 else 's'}, {_by(seen[2:] - 1, 0)} mm"
    return f"{name.removeprefix('shape of ')} has an unusual shape compared with the training images: {seen_as}."


def _by(numbers: np.ndarray, digits: int) -> str:
    return " x ".join(f"{number:.{digits}f}" for number in numbers)


def _plain(part: Check | DeepCheck) -> dict[str, Any]:
    """JSON types; five digits are more than these figures hold."""
    return {name: _rounded(value) for name, value in asdict(part).items()}


def _rounded(value: Any) -> Any:
    return [_rounded(item) for item in value] if isinstance(value, (list, np.ndarray)) else float(f"{value:.5g}")


def _arrays(section: dict[str, Any]) -> dict[str, Any]:
    return {name: np.asarray(value, float) if isinstance(value, list) else value for name, value in section.items()}
