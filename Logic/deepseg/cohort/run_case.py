"""One case of a batch, from its files to its result and its record."""

from __future__ import annotations

import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from deepseg import api
from deepseg.cohort.cases import Case
from deepseg.cohort.record import FAILED, FINISHED, Record, result_path, write_record
from deepseg.cohort.thumbnail import thumbnail
from deepseg.flags import flags_of
from deepseg.inputs import read_inputs, with_preparation


def run_case(
    case: Case, key: dict[str, Any], bundle: api.ModelBundle, out: Path, settings: dict[str, Any], progress: api.ProgressCallback | None = None
) -> Record:
    """Segment one case; whatever goes wrong becomes the record's error.

    Args:
        case: what to segment.
        key: what its result depends on.
        bundle: the model.
        out: the batch's folder.
        settings: `n4` for reading; `precision`, `mirror` and where there is one `device` for the run.
        progress: called during the run.
    """
    started = time.monotonic()
    try:
        volume, notes = read_inputs(case.inputs, bundle.spec, settings["n4"])
        how = {name: settings[name] for name in ("precision", "mirror", "device") if name in settings}
        prediction = api.segment(volume, bundle, None, progress, probabilities=False, **how)
        picture = _picture(volume, prediction.labels)
        api.write_label_map(with_preparation(prediction.labels, notes), result_path(out, case.name))
        notes = [*notes, *prediction.notes]
        record = Record(case.name, key, FINISHED, _rows(prediction.labels), notes, round(time.monotonic() - started, 1), "", picture)
    except Exception as error:
        told = str(error) if isinstance(error, api.DeepSegError) else f"The run stopped on an unexpected error: {traceback.format_exc(limit=-3)}"
        record = Record(case.name, key, FAILED, seconds=round(time.monotonic() - started, 1), error=told.strip())
    write_record(out, record)
    return record


def _rows(labels: api.LabelMap) -> list[dict[str, Any]]:
    rows = []
    for label in labels.labels:
        mask = labels.mask(label)
        count = int(np.count_nonzero(mask))
        rows.append(
            {
                "segment": label.name,
                "value": label.value,
                "voxels": count,
                "volume_ml": round(count * labels.geometry.voxel_volume_ml, 4),
                "flags": flags_of(mask),
            }
        )
    return rows


def _picture(volume: api.Volume, labels: api.LabelMap) -> str:
    try:
        return thumbnail(volume, labels)
    except api.DeepSegError:
        # Without the 'report' extra the table is all there is; the command says so once.
        return ""
