"""The demo: two runs become one segmentation, and left stays left."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from deepseg import api, demo


def one_side(side: demo.Side, geometry: api.Geometry, labels: tuple[api.Label, ...]) -> api.Prediction:
    """What a run over one side's box gives: front half label 1, back half label 2, in the box's middle."""
    array = np.zeros(geometry.shape, np.uint8)
    where = geometry.slices_of(api.Box.from_center(side.center_ras, (10, 20, 8)))
    array[where] = 1
    behind = geometry.slices_of(api.Box.from_center(np.subtract(side.center_ras, (0, 5, 0)), (10, 9, 8)))
    array[behind] = 2
    box = side.box
    settings = json.dumps({"roi_ras_mm": [box.minimum_ras, box.maximum_ras], "device": "cpu"})
    return api.Prediction(api.LabelMap(array, geometry, labels), None, {"DeepSeg.Settings": settings, "DeepSeg.Model": "m"}, {"network": 1.5})


@pytest.fixture(scope="module")
def a_head() -> api.Volume:
    """Noise that holds both boxes, at 3 mm, stored with axes to the left, inferior and anterior."""
    matrix = np.array([[-3.0, 0, 0, 50], [0, 0, 3.0, -60], [0, -3.0, 0, 14], [0, 0, 0, 1]])
    array = np.random.default_rng(5).normal(100, 20, (1, 35, 20, 27)).astype(np.float32)
    return api.Volume(array, api.Geometry(array.shape[1:], matrix), name="noise")


def test_boxes_lie_on_their_side() -> None:
    assert demo.LEFT.box.maximum_ras[0] < 0 < demo.RIGHT.box.minimum_ras[0]
    mirrored = [-x for x in demo.LEFT.center_ras[:1]] + list(demo.LEFT.center_ras[1:])
    assert mirrored == list(demo.RIGHT.center_ras)


def test_merging_keeps_sides_apart(a_head: api.Volume, tiny_spec: api.ModelSpec) -> None:
    sides = {side: one_side(side, a_head.geometry, tiny_spec.labels) for side in (demo.LEFT, demo.RIGHT)}
    merged = demo.merge_sides(sides)
    labels = merged.labels.labels
    assert [(label.value, label.name) for label in labels] == [(1, "Left front"), (2, "Left back"), (3, "Right front"), (4, "Right back")]
    assert len({label.color for label in labels}) == 4
    for label in labels:
        ras = a_head.geometry.ras_from_ijk(np.argwhere(merged.labels.array == label.value))
        assert (ras[:, 0] < 0).all() if label.name.startswith("Left") else (ras[:, 0] > 0).all()
    for side, offset in ((demo.LEFT, 0), (demo.RIGHT, 2)):
        own = sides[side].labels.array
        np.testing.assert_array_equal(merged.labels.array[own > 0], own[own > 0] + offset)
    assert merged.labels.array.dtype == np.uint8
    assert merged.volumes_ml()[0][1] == pytest.approx(sides[demo.LEFT].volumes_ml()[0][1])
    assert merged.seconds == {"network": 3.0}
    settings = json.loads(merged.provenance["DeepSeg.Settings"])
    assert settings["left_roi_ras_mm"][0] == list(demo.LEFT.box.minimum_ras)
    assert settings["right_roi_ras_mm"][1] == list(demo.RIGHT.box.maximum_ras)
    assert merged.labels.attributes == merged.provenance


def test_merged_segments_carry_codes(a_head: api.Volume, tiny_spec: api.ModelSpec) -> None:
    merged = demo.merge_sides({side: one_side(side, a_head.geometry, tiny_spec.labels) for side in (demo.LEFT, demo.RIGHT)})
    left, uncoded, right, _ = merged.labels.labels
    assert api.terminology_entry(left).endswith("~SCT^12738006^Brain~SCT^7771000^Left")
    assert api.terminology_entry(right).endswith("~SCT^12738006^Brain~SCT^24028007^Right")
    assert "SCT^5366008^Hippocampus~SCT^255549009^Anterior" in api.terminology_entry(right)
    assert uncoded.terminology is None


def test_a_run_writes_three_files_that_belong_together(a_head: api.Volume, tiny_bundle: api.ModelBundle, tmp_path: Path) -> None:
    seen: list[api.Progress] = []
    demo.run(tmp_path, a_head, tiny_bundle, seen.append)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "segmentation.seg.nrrd", "t1.nii.gz"]
    segmentation, image = sitk.ReadImage(str(tmp_path / "segmentation.seg.nrrd")), sitk.ReadImage(str(tmp_path / "t1.nii.gz"))
    assert segmentation.GetSize() == image.GetSize()
    np.testing.assert_allclose(segmentation.GetOrigin(), image.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(segmentation.GetDirection(), image.GetDirection(), atol=1e-6)
    values = sitk.GetArrayFromImage(segmentation)
    assert values.any()
    for n in range(4):
        name, value = segmentation.GetMetaData(f"Segment{n}_Name"), int(segmentation.GetMetaData(f"Segment{n}_LabelValue"))
        found = np.argwhere(values == value)[:, ::-1]
        # ITK counts x towards the patient's left.
        x_left = [segmentation.TransformIndexToPhysicalPoint(index)[0] for index in found.tolist()]
        assert all(x > 0 for x in x_left) if name.startswith("Left") else all(x < 0 for x in x_left)
    fractions = [state.fraction for state in seen]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0


def test_the_command_says_what_it_made(tiny_bundle: api.ModelBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    pytest.importorskip("nilearn", reason="the demo's head comes with nilearn")
    shutil.copytree(tiny_bundle.folder, tmp_path / "models" / demo.MODEL)
    monkeypatch.setenv("DEEPSEG_MODELS", str(tmp_path / "models"))
    assert demo.main([str(tmp_path / "made" / "out")]) == 0
    out = capsys.readouterr().out
    for name in ("t1.nii.gz", "segmentation.seg.nrrd", "report.html"):
        assert (tmp_path / "made" / "out" / name).is_file()
        assert f"Wrote {tmp_path / 'made' / 'out' / name}" in out
    assert re.search(r"Left front +\d+(\.\d+)? mL", out) and re.search(r"Right back +\d+(\.\d+)? mL", out)
    assert "not for clinical use" in out


def test_the_head_lies_as_mni152_does() -> None:
    pytest.importorskip("nilearn", reason="the demo's head comes with nilearn")
    head = demo.load_head()
    assert head.geometry.spacing_mm == pytest.approx((1.0, 1.0, 1.0))
    brain = head.geometry.ras_from_ijk(np.argwhere(head.array[0] > 0.2))
    # The origin is the anterior commissure: the brain reaches further back than forward, and further up than down.
    assert brain[:, 0].mean() == pytest.approx(0, abs=1)
    assert -115 < brain[:, 1].min() < -95 and 65 < brain[:, 1].max() < 80
    assert brain[:, 2].max() > 70


def test_a_folder_that_cannot_be_made_is_refused_in_one_sentence(tmp_path: Path, capsys) -> None:
    (tmp_path / "file").write_text("")
    assert demo.main([str(tmp_path / "file")]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and "Traceback" not in captured.err
    assert captured.out == ""
