"""Which images a model was trained on, so that its answers to them are not taken for answers to new ones.

A model tells the SHA-256 of their files: copies are known again, images that were written anew are not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepseg.bundle import sha256_of
from deepseg.spec import ModelSpec
from deepseg_train.data.cases import Case
from deepseg_train.errors import DatasetError

KEY = "training images"
"""In a model's provenance."""

_LENGTH = 16
"""Digits of a hash that are kept: chance does not find them twice, and a thousand images make 20 kB."""


@dataclass(frozen=True)
class Seen:
    """Images that weights were fitted to or chosen by.

    Attributes:
        files: the first digits of each file's SHA-256.
        untold: names of models that were learned from and do not tell their own.
    """

    files: frozenset[str] = frozenset()
    untold: tuple[str, ...] = ()

    @staticmethod
    def of(hashes: Iterable[str]) -> Seen:
        """Files of these SHA-256."""
        return Seen(frozenset(digest[:_LENGTH] for digest in hashes))

    @staticmethod
    def by(spec: ModelSpec) -> Seen:
        """What a model tells."""
        told = spec.provenance.get(KEY)
        return Seen.from_json(told) if isinstance(told, dict) else Seen(untold=(spec.id,))

    @staticmethod
    def from_json(told: dict[str, Any]) -> Seen:
        """The opposite of `to_json`."""
        return Seen(frozenset(map(str, told.get("files", ()))), tuple(map(str, told.get("untold", ()))))

    def to_json(self) -> dict[str, Any]:
        return {"files": sorted(self.files), "untold": list(self.untold)}

    def __or__(self, other: Seen) -> Seen:
        return Seen(self.files | other.files, tuple(dict.fromkeys(self.untold + other.untold)))

    def among(self, cases: Sequence[Case]) -> list[Case]:
        """The cases of which an image was seen."""
        return [case for case in cases if any(content_sha256(path)[:_LENGTH] in self.files for path in case.images)]

    def remark(self, name: str, cases: Sequence[Case]) -> str:
        """A sentence where a model that has seen these images is asked about the cases; '' where it knows none of them."""
        known = self.among(cases) if self.files else []
        if not known:
            return ""
        return f"{name} was trained on {len(known)} of these {len(cases)} cases, such as {known[0].name}; it does better on them than on others."

    @property
    def doubt(self) -> str:
        """A sentence where models do not tell which images they were trained on; '' where all do."""
        if not self.untold:
            return ""
        return f"{', '.join(self.untold)} does not tell which images it was trained on; they may be among those kept for figures."

    def remarks(self, name: str, cases: Sequence[Case]) -> list[str]:
        """What `remark` and `doubt` have to say."""
        return [text for text in (self.remark(name, cases), self.doubt) if text]

    @property
    def told(self) -> str:
        """In words, for a model card."""
        others = f"; {', '.join(self.untold)} does not tell which images it was trained on" if self.untold else ""
        return f"{len(self.files)} files, known by their SHA-256{others}"


def refuse_shared_images(cases: Iterable[tuple[Case, tuple[str, ...]]]) -> None:
    """Refuse cases of two patients with the same image files, which a split by patients may put into two parts.

    Args:
        cases: each with the SHA-256 of its image files.

    Raises:
        DatasetError: names them.
    """
    first: dict[tuple[str, ...], Case] = {}
    shared = []
    for case, images in cases:
        other = first.setdefault(images, case)
        if other.patient != case.patient:
            shared.append(f"{case.name} (patient {case.patient}) has that of {other.name} (patient {other.patient})")
    if shared:
        raise DatasetError(
            f"{len(shared)} cases have the image of another patient's case: {'; '.join(shared[:10])}. One patient must be in one part of the split: "
            "correct the patients or remove one of the cases, and draw the split anew."
        )


def content_sha256(path: Path) -> str:
    """Of a file, or of all files of a DICOM folder."""
    if not path.is_dir():
        return sha256_of(path)
    return hashlib.sha256("".join(sha256_of(file) for file in sorted(path.iterdir()) if file.is_file()).encode()).hexdigest()
