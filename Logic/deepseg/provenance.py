"""What made a result, as the attributes that a segmentation node and a file carry."""

from __future__ import annotations

import json
from typing import Any

from deepseg import __version__
from deepseg.box import Box
from deepseg.bundle import ModelBundle
from deepseg.devices import Plan


def provenance(bundle: ModelBundle, roi: Box | None, plan: Plan, **settings: Any) -> dict[str, str]:
    """Model, version, hash and settings; `settings` are those that only this kind of run has."""
    how = {
        "roi_ras_mm": roi.to_json() if roi else None,
        "device": plan.device.type,
        "precision": plan.precision,
        "window": plan.spec.window.size,
        "sums": str(plan.held).removeprefix("torch."),
        **settings,
    }
    return {
        "DeepSeg.Model": bundle.spec.id,
        "DeepSeg.ModelVersion": bundle.spec.version,
        "DeepSeg.ModelSha256": bundle.sha256,
        "DeepSeg.Version": __version__,
        "DeepSeg.Settings": json.dumps(how),
    }
