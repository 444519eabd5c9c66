"""README's pictures of the demo's report, some of its sections each: `python Testing/pictures/report_sections.py [--report REPORT] [--to FOLDER]`.

Needs Chromium (`apt install chromium`) and a report that `make demo` has just written.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageChops

REPOSITORY = Path(__file__).resolve().parents[2]
# File, headings of its sections, width of the window in pixels.
PICTURES = (("report.png", ("Outlines", "Shape"), 1060), ("trust.png", ("How far to trust it",), 900), ("why.png", ("Why the model says so",), 900))
MARGIN = 9


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--report", type=Path, default=REPOSITORY / "demo-out/report.html")
    parser.add_argument("--to", type=Path, default=REPOSITORY / "Resources/Screenshots")
    options = parser.parse_args()
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("No Chromium was found; on Debian: apt install chromium")
    page = options.report.read_text(encoding="utf-8")
    for name, headings, width in PICTURES:
        picture = photographed(alone(page, headings), width, browser)
        cropped(picture).save(options.to / name, optimize=True)
        print(f"Wrote {options.to / name}")


def alone(page: str, headings: Sequence[str]) -> str:
    """The page with some of its sections, those of these headings."""
    missing = [heading for heading in headings if f"<h2>{heading}</h2>" not in page]
    if missing:
        raise SystemExit(f"The report has no section '{missing[0]}'; `make demo` writes one that has")
    script = f"""<script>for (const part of document.querySelectorAll("main > *"))
        if (!{json.dumps(headings)}.includes(part.querySelector("h2")?.textContent)) part.remove()</script>"""
    style = "<style>main { padding: 24px 9px !important }</style>"
    return page.replace("</body>", f"{style}{script}</body>")


def photographed(page: str, width: int, browser: str) -> Image.Image:
    """The page as the browser draws it in a window of this width, on a long sheet."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "page.html", Path(folder) / "page.png"
        source.write_text(page, encoding="utf-8")
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},2400", f"--screenshot={target}"]
        subprocess.run([browser, *options, source.as_uri()], check=True, capture_output=True)
        with Image.open(target) as picture:
            return picture.convert("RGB")


def cropped(picture: Image.Image) -> Image.Image:
    """Without the ground around the section, but for a margin."""
    ground = Image.new("RGB", picture.size, picture.getpixel((0, picture.height - 1)))
    left, upper, right, lower = ImageChops.difference(picture, ground).getbbox()
    return picture.crop((max(left - MARGIN, 0), max(upper - MARGIN, 0), min(right + MARGIN, picture.width), min(lower + MARGIN, picture.height)))


if __name__ == "__main__":
    main()
