"""The report's section on doubt, of a calibrated and of an uncalibrated model."""

import re

import numpy as np
import pytest

from deepseg import api
from deepseg.golden import phantom
from deepseg.report import write_report
from deepseg.report_doubt import Doubt, reliability_diagram


@pytest.fixture(scope="module")
def a_case(hippocampus_cases):
    return api.read_volume(hippocampus_cases[1])


def page_of(volume, bundle, folder):
    result = api.estimate_uncertainty(volume, bundle)
    doubt = Doubt.of(result, bundle)
    write_report(folder / "report.html", volume, result.prediction, bundle, doubt=doubt)
    return result, doubt, (folder / "report.html").read_text(encoding="utf-8")


def test_a_calibrated_models_section_has_map_table_and_curves(a_case, tmp_path):
    result, doubt, page = page_of(a_case, api.load_model("hippocampus-mr"), tmp_path)
    section = page[page.index("How far to trust it") : page.index("The model</h2>")]
    for report in result.reports:
        low, high = report.volume_interval_ml
        assert f"{low:.2f} to {high:.2f}" in section
    assert section.count('class="after"') >= 2 * 16, "15 points and a line for each of two labels"
    assert "Where to look first" in section and doubt.regions
    assert "probability that the label is wrong" in section
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", section), "it loads nothing"


def test_an_uncalibrated_models_section_promises_nothing(tiny_bundle, tmp_path):
    _, _, page = page_of(phantom(1), tiny_bundle, tmp_path)
    section = page[page.index("How far to trust it") : page.index("The model</h2>")]
    assert "was not calibrated" in section
    assert "probab" not in section.lower() and "confiden" not in section.lower() and "to expect" not in section


def test_two_sides_become_one_section(a_case):
    bundle = api.load_model("hippocampus-mr")
    doubt = Doubt.of(api.estimate_uncertainty(a_case, bundle), bundle)
    both = Doubt.together({"Left": doubt, "Right": doubt})
    assert [report.name for report in both.reports] == [
        f"{side} {name}" for side in ("Left", "Right") for name in ("anterior hippocampus", "posterior hippocampus", "hippocampus")
    ]
    assert len(both.regions) == 2 * len(doubt.regions)
    assert [region.change_ml for region in both.regions] == sorted((region.change_ml for region in both.regions), reverse=True)
    np.testing.assert_array_equal(both.shown.values, doubt.shown.values)
    assert both.told == doubt.told, "what both sides say is said once"


def test_perfect_calibration_lies_on_the_diagonal():
    picture = reliability_diagram(
        {"none": {"promised": [0.2, 0.8], "observed": [0.1, 0.6]}, "learned map": {"promised": [0.2, 0.8], "observed": [0.2, 0.8]}}
    )
    assert '<path class="before" d="M20.00 90.00L80.00 40.00"/>' in picture
    assert '<path class="after" d="M20.00 80.00L80.00 20.00"/>' in picture
