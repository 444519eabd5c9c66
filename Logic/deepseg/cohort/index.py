"""A batch's page: a picture, the volumes and the flags of each case, in one HTML file that loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from deepseg import api
from deepseg.cohort.record import FINISHED, Record, result_path
from deepseg.cohort.table import TABLE
from deepseg.outputs import write_whole
from deepseg.pictures import css_color, need

INDEX = "index.html"


def write_index(out: Path, records: Sequence[Record], spec: api.ModelSpec) -> None:
    """Write `index.html`; it appears whole or not at all.

    Raises:
        DeepSegError: a package of the 'report' extra is missing.
        OutputError: the page cannot be written.
    """
    jinja2 = need("jinja2")
    source = Path(__file__).with_name("index.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string(source).render(
        spec=spec,
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        cases=[_shown(out, record) for record in records],
        failed=sum(record.status != FINISHED for record in records),
        labels=[(label.name, css_color(label.color)) for label in spec.labels],
        table=TABLE,
    )
    write_whole(out / INDEX, lambda path: path.write_text(page, encoding="utf-8", errors="backslashreplace"))


def _shown(out: Path, record: Record) -> dict[str, object]:
    name = result_path(out, record.case).name
    # The picture is DeepSeg's own SVG, its texts escaped where it is drawn.
    return {"record": record, "inputs": "; ".join(record.inputs), "file": name, "link": quote(name), "done": record.status == FINISHED}
