"""All tests of one map, each with what it found and what it should find."""

from __future__ import annotations

from deepseg.explanation.checks.agreement import another_label, share_inside, shuffled, with_noise
from deepseg.explanation.checks.curves import SHARES, Curves, Revealing, edges, noise
from deepseg.explanation.methods.method import Asked, Method
from deepseg.results import ExplanationCheck

CHECK_PASSES = 6 * (len(SHARES) - 2) + 2
"""Over all windows, for the curves of the map, of edges and of a map that knows nothing."""
_MOST_ALIKE_SHUFFLED, _MOST_ALIKE_LABELS, _LEAST_ALIKE_NOISE = 0.5, 0.9, 0.5


def checked(method: Method, asked: Asked, values: object) -> tuple[ExplanationCheck, ...]:
    """The tests of a map (I, J, K) that `method` drew for `asked`."""
    passes, image = asked.passes, asked.image
    revealing = Revealing(passes, image)
    own, by_edges, by_chance = (revealing.curves(one) for one in (values, edges(image), noise(image, asked.seed)))
    likeness, of_strengths = shuffled(method, asked, values)
    told = f"likeness with the map of shuffled weights: {likeness:.2f}, expected between -{_MOST_ALIKE_SHUFFLED} and {_MOST_ALIKE_SHUFFLED}"
    told += f"; of the strengths without their signs {of_strengths:.2f}"
    found = [
        _curve("deletion", "blurring what it marks first", own, by_edges, by_chance),
        _curve("insertion", "bringing back what it marks first", own, by_edges, by_chance),
        ExplanationCheck("shuffled weights", likeness, _MOST_ALIKE_SHUFFLED, abs(likeness) <= _MOST_ALIKE_SHUFFLED, told),
    ]
    if (other := another_label(method, asked, values)) is not None:
        found.append(_limit("another label", "likeness with another label's map", other, most=_MOST_ALIKE_LABELS))
    found.append(_limit("noise", "likeness with the map of a slightly noisy image", with_noise(method, asked, values), least=_LEAST_ALIKE_NOISE))
    if method.needs_layer:
        inside = share_inside(values, passes.question.where)
        told = f"{100 * inside:.0f} % of what speaks for it lies within 2 voxels of the place asked about"
        found.append(ExplanationCheck("inside", inside, None, True, told))
    return tuple(found)


def _curve(kind: str, what: str, own: Curves, by_edges: Curves, by_chance: Curves) -> ExplanationCheck:
    area, rivals = getattr(own, f"{kind}_area"), [getattr(one, f"{kind}_area") for one in (by_edges, by_chance)]
    best = min(rivals) if kind == "deletion" else max(rivals)
    passed = area < best if kind == "deletion" else area > best
    told = f"{what}: area {area:.3f}, by edges {rivals[0]:.3f}, by chance {rivals[1]:.3f}"
    return ExplanationCheck(kind, area, best, passed, told, tuple(zip(SHARES, getattr(own, kind), strict=True)))


def _limit(name: str, what: str, value: float, *, most: float | None = None, least: float | None = None) -> ExplanationCheck:
    passed = value <= most if most is not None else value >= least
    told = f"{what}: {value:.2f}, expected at {'most' if most is not None else 'least'} {most if most is not None else least:g}"
    return ExplanationCheck(name, value, most if most is not None else least, passed, told)
