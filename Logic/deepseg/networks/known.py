"""Networks are asked for by name."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from deepseg.errors import ModelError


def require_known(name: str, known: Collection[str]) -> None:
    """Refuse a name that is none of `known`.

    Raises:
        ModelError: names the nearest one.
    """
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"Did you mean {near[0]}?" if near else "A newer one may know it."
        raise ModelError(f"There is no network named '{name}' here; this DeepSeg builds {', '.join(sorted(known))}. {hint}")
