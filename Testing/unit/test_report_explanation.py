"""The report's section on explanations."""

import re

import pytest

from deepseg import api
from deepseg.golden import phantom
from deepseg.report import write_report


@pytest.fixture(scope="module")
def page(tiny_bundle, tmp_path_factory):
    volume = phantom(1)
    prediction = api.segment(volume, tiny_bundle)
    place = tuple(float(x) for x in volume.geometry.center_ras)
    explanations = [api.explain(volume, tiny_bundle, 1, place=place, method="hires-cam", checks=checks) for checks in (True, False)]
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, volume, prediction, tiny_bundle, explanations=explanations)
    text = path.read_text(encoding="utf-8")
    return explanations, text[text.index("Why the model says so") : text.index("The model</h2>")]


def test_each_map_comes_with_its_question_and_its_tests(page):
    explanations, section = page
    assert section.count("Why Front at RAS") == 2
    for check in explanations[0].checks:
        assert f"<td>{check.name}</td>" in section
    assert ("Do not believe this map" in section) == bool(explanations[0].failed)
    assert section.count('class="slice"') == 4
    assert section.count('class="curve"') == 1, "a map that was not tested has no curves"
    assert len(re.findall(r'<circle class="after"', section)) == 10


def test_the_section_loads_nothing(page):
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", page[1])
