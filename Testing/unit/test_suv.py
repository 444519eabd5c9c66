"""PET series written by pydicom; their SUVs worked out by hand.

70 kg, 370 MBq of F-18 (half life 6586.2 s) injected at 10:00, scan at 11:00: 3600 / 6586.2 = 0.546597 half lives leave
370e6 x 0.684633 = 253.314e6 Bq, so 5000 Bq/mL are 5000 x 70000 / 253.314e6 = 1.38168 g/mL.
"""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    PositronEmissionTomographyImageStorage,
    generate_uid,
)

from deepseg.errors import VolumeError
from deepseg.io import read_volume
from deepseg.suv import suv_factor

SERIES, STUDY, FRAME = generate_uid(), generate_uid(), generate_uid()
SUV_OF_5000 = 1.38168
NO_DECAY_SUV_OF_5000 = 5000 * 70000 / 370e6  # 0.945946
TRACER = {
    "RadionuclideTotalDose": "370000000",
    "RadionuclideHalfLife": "6586.2",
    "RadiopharmaceuticalStartDateTime": "20240305100000",
    "RadiopharmaceuticalStartTime": "100000",
}
TAGS = {
    "Units": "BQML",
    "DecayCorrection": "START",
    "CorrectedImage": ["DECY", "ATTN", "SCAT"],
    "PatientWeight": "70",
    "SeriesDate": "20240305",
    "SeriesTime": "110000.00",
    "AcquisitionDate": "20240305",
    "AcquisitionTime": "110000",
}


def save_series(folder: Path, tracer=(), syntax=ExplicitVRLittleEndian, philips=None, defined_length=True, **changes) -> Path:
    """Three slices whose first voxel is 5000 once rescaled, at another slope each; `tracer` and `changes` replace tags, None takes one away."""
    folder.mkdir(exist_ok=True)
    for n, slope in enumerate((1.0, 2.5, 0.5)):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = PositronEmissionTomographyImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = syntax
        header = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        header.SOPClassUID, header.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        header.StudyInstanceUID, header.SeriesInstanceUID, header.FrameOfReferenceUID = STUDY, SERIES, FRAME
        header.Modality, header.PatientName, header.PatientID, header.InstanceNumber = "PT", "Phäntom", "1", n + 1
        header.SpecificCharacterSet = "ISO_IR 100"
        header.ImagePositionPatient, header.ImageOrientationPatient = [0, 0, 3.0 * n], [1, 0, 0, 0, 1, 0]
        header.PixelSpacing, header.Rows, header.Columns, header.SamplesPerPixel = [4, 4], 5, 6, 1
        header.PhotometricInterpretation, header.PixelRepresentation = "MONOCHROME2", 0
        header.BitsAllocated = header.BitsStored = 16
        header.HighBit = 15
        header.RescaleSlope, header.RescaleIntercept = slope, 0
        pixels = np.arange(30, dtype="<u2").reshape(5, 6)
        pixels[0, 0] = 5000 / slope
        header.PixelData = pixels.tobytes()
        for name, value in (TAGS | changes).items():
            if value is not None:
                setattr(header, name, value)
        item, procedure = Dataset(), Dataset()
        # Nested sequences before the tags that matter, as scanners write them.
        procedure.CodeValue, procedure.CodingSchemeDesignator, procedure.CodeMeaning = "C-111A1", "SRT", "F-18"
        item.RadionuclideCodeSequence = Sequence([procedure])
        for name, value in (TRACER | dict(tracer or {})).items():
            if value is not None:
                setattr(item, name, value)
        if tracer is not None:
            header.RadiopharmaceuticalInformationSequence = Sequence([item])
            item.is_undefined_length_sequence_item = not defined_length
            header["RadiopharmaceuticalInformationSequence"].is_undefined_length = not defined_length
            item["RadionuclideCodeSequence"].is_undefined_length = not defined_length
        for number, value in (philips or {}).items():
            header.private_block(0x7053, "Philips PET Private Group", create=True).add_new(number, "DS", value)
        header.save_as(folder / f"{n}.dcm", enforce_file_format=True)
    return folder


def suv_of_5000(folder: Path) -> float:
    """The SUV of the first voxel of each slice, which must be the same, and the unit must be SUV."""
    volume = read_volume(folder)
    assert (volume.units, volume.modalities) == (("SUV",), ("PT",))
    values = volume.array[0, 0, 0]
    np.testing.assert_allclose(values, values[0], rtol=1e-6)
    return float(values[0])


@pytest.mark.parametrize("defined_length", [True, False], ids=["defined lengths", "undefined lengths"])
@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian], ids=["explicit", "implicit", "deflated"]
)
def test_becquerels_become_suv_by_body_weight(syntax, defined_length, tmp_path):
    assert suv_of_5000(save_series(tmp_path / "pet", syntax=syntax, defined_length=defined_length)) == pytest.approx(SUV_OF_5000, rel=1e-5)


def test_every_slice_is_scaled_by_its_own_slope(tmp_path):
    volume = read_volume(save_series(tmp_path / "pet"))
    np.testing.assert_allclose(volume.array[0, 2, 3], 20 * np.array([1.0, 2.5, 0.5]) * SUV_OF_5000 / 5000, rtol=1e-5)


def test_a_dose_corrected_to_the_injection_does_not_decay(tmp_path):
    assert suv_of_5000(save_series(tmp_path / "pet", DecayCorrection="ADMIN")) == pytest.approx(NO_DECAY_SUV_OF_5000, rel=1e-6)


def test_a_start_time_without_a_date_is_of_the_scans_day_or_the_evening_before(tmp_path):
    folder = save_series(tmp_path / "same", tracer={"RadiopharmaceuticalStartDateTime": None})
    assert suv_of_5000(folder) == pytest.approx(SUV_OF_5000, rel=1e-5)
    late = {"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": "233000"}
    folder = save_series(tmp_path / "midnight", tracer=late, SeriesTime="003000", AcquisitionTime="003000")
    assert suv_of_5000(folder) == pytest.approx(SUV_OF_5000, rel=1e-5)


ZONES = {
    "the same zone": ("20240305100000+0200", "+0200", None),
    "UTC": ("20240305080000.00+0000", "+0200", None),
    "UTC, with a start time that is not needed": ("20240305080000+0000", "+0200", "080000"),
    "a zone to the west": ("20240305043000-0330", "+0200", None),
    "a zone beyond midnight": ("20240304223000-0930", "+0200", None),
    "an own zone in the west": ("20240305150000+0000", "-0500", None),
    "no own zone, but the clock's time": ("20240305080000+0000", None, "100000"),
    "no own zone, Hawaii": ("20240305200000+0000", None, "100000"),
    "no own zone, New Zealand in summer": ("20240304210000+0000", None, "100000"),
}


@pytest.mark.parametrize("name", ZONES)
def test_a_start_with_a_time_zone_is_brought_to_the_scans(name, tmp_path):
    """The injection is at 10:00 by the scan's clock, an hour before the scan."""
    stamp, zone, time = ZONES[name]
    tracer = {"RadiopharmaceuticalStartDateTime": stamp, "RadiopharmaceuticalStartTime": time}
    assert suv_of_5000(save_series(tmp_path / "pet", tracer=tracer, TimezoneOffsetFromUTC=zone)) == pytest.approx(SUV_OF_5000, rel=1e-5)


def test_a_start_days_before_keeps_its_day_without_the_own_zone(tmp_path):
    """Zr-89, half life 78.41 h, three days and an hour before: 73 / 78.41 half lives."""
    tracer = {"RadionuclideHalfLife": "282276", "RadiopharmaceuticalStartDateTime": "20240302080000+0000", "RadiopharmaceuticalStartTime": "100000"}
    expected = NO_DECAY_SUV_OF_5000 * 2 ** (73 / 78.41)
    assert suv_of_5000(save_series(tmp_path / "pet", tracer=tracer)) == pytest.approx(expected, rel=1e-5)


def test_later_beds_are_corrected_to_the_series_begin(tmp_path):
    assert suv_of_5000(save_series(tmp_path / "pet", AcquisitionTime="111500")) == pytest.approx(SUV_OF_5000, rel=1e-5)


def test_a_series_made_later_takes_the_scans_begin_from_its_frames(tmp_path):
    """Frames of 120 s from 11:10: at the mean rate 60 s (less 0.1 s) later; reference 660 s after a scan's begin of 11:00."""
    frames = {"SeriesTime": "153000", "AcquisitionTime": "111000", "FrameReferenceTime": "659937", "ActualFrameDuration": "120000"}
    assert suv_of_5000(save_series(tmp_path / "pet", **frames)) == pytest.approx(SUV_OF_5000, rel=1e-4)


def test_suv_is_taken_as_it_is(tmp_path):
    assert suv_of_5000(save_series(tmp_path / "pet", Units="GML", tracer=None, CorrectedImage=None)) == 5000
    assert suv_of_5000(save_series(tmp_path / "bw", Units="GML", SUVType="BW")) == 5000


def test_philips_counts_take_its_own_factors(tmp_path):
    assert suv_of_5000(save_series(tmp_path / "suv", Units="CNTS", philips={0x00: "0.0004"})) == pytest.approx(2.0)
    both = {0x00: "0", 0x09: "2.0"}
    assert suv_of_5000(save_series(tmp_path / "activity", Units="CNTS", philips=both)) == pytest.approx(2 * SUV_OF_5000, rel=1e-5)


REFUSED = {
    "weight": ({"PatientWeight": None}, {}, r"lacks Patient's Weight \(0010,1030\)"),
    "no weight": ({"PatientWeight": "0"}, {}, r"lacks Patient's Weight"),
    "dose": ({}, {"RadionuclideTotalDose": None}, r"lacks Radionuclide Total Dose \(0018,1074\)"),
    "dose in MBq": ({}, {"RadionuclideTotalDose": "370"}, "370 Bq, which is no dose"),
    "half life": ({}, {"RadionuclideHalfLife": None}, r"lacks Radionuclide Half Life \(0018,1075\)"),
    "injection": (
        {},
        {"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": None},
        r"lacks Radiopharmaceutical Start DateTime \(0018,1078\) or Start Time",
    ),
    "injection in a zone that cannot be compared": (
        {},
        {"RadiopharmaceuticalStartDateTime": "20240305080000+0000", "RadiopharmaceuticalStartTime": None},
        r"lacks Timezone Offset From UTC \(0008,0201\) or Radiopharmaceutical Start Time",
    ),
    "injection in the year 1": (
        {},
        {"RadiopharmaceuticalStartDateTime": "00010101000000+1400", "RadiopharmaceuticalStartTime": None},
        "lacks Radiopharmaceutical Start DateTime",
    ),
    "injection in the year 9999": (
        {},
        {"RadiopharmaceuticalStartDateTime": "99991231235959-1200", "RadiopharmaceuticalStartTime": None},
        "lacks Radiopharmaceutical Start DateTime",
    ),
    "sequence": ({}, dict.fromkeys(TRACER), r"lacks Radionuclide Total Dose"),
    "series time": ({"SeriesTime": None}, {}, r"lacks Series Date and Time"),
    "acquisition time": ({"AcquisitionTime": None}, {}, r"lacks Acquisition Date and Time"),
    "frame times": ({"SeriesTime": "153000"}, {}, r"lacks Frame Reference Time \(0054,1300\)"),
    "decay": ({"DecayCorrection": "NONE"}, {}, r"lacks a Decay Correction \(0054,1102\) to START or ADMIN \(it says 'NONE'\)"),
    "not attenuation corrected": ({"CorrectedImage": ["DECY"]}, {}, "not corrected for attenuation"),
    "not decay corrected": ({"CorrectedImage": ["ATTN"]}, {}, "not corrected for decay"),
    "units": ({"Units": None}, {}, "without units"),
    "other units": ({"Units": "PROPCPS"}, {}, "in units of PROPCPS; expected BQML"),
    "other SUV": ({"Units": "GML", "SUVType": "LBM"}, {}, "SUV of the type LBM"),
    "counts": ({"Units": "CNTS"}, {}, "scale factors of its counts"),
    "injection after the scan": ({}, {"RadiopharmaceuticalStartDateTime": "20240305120000"}, r"begins -1\.00 hours after its injection"),
    "injection weeks before": ({}, {"RadiopharmaceuticalStartDateTime": "20240205100000"}, "cannot be at a half life of 1.83 hours"),
    "clocks that disagree": ({}, {"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": "110100"}, "cannot be at a half life"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_leaves_the_suv_open_is_refused_by_the_name_of_the_tag(name, tmp_path):
    changes, tracer, says = REFUSED[name]
    with pytest.raises(VolumeError, match=says):
        read_volume(save_series(tmp_path / "pet", tracer=tracer, **changes))


def test_a_fraction_of_a_second_without_end_is_refused():
    """Not through a file, as pydicom does not write such a time."""
    tags = {"0054|1001": "BQML", "0054|1102": "START", "0028|0051": "DECY\\ATTN", "0010|1030": "70"}
    tags |= {"0008|0021": "20240305", "0008|0022": "20240305", "0008|0031": "110000.1e400", "0008|0032": "110000"}
    tracer = {(0x0018, 0x1074): "370000000", (0x0018, 0x1075): "6586.2", (0x0018, 0x1078): "20240305100000"}
    with pytest.raises(VolumeError, match="lacks Series Date and Time"):
        suv_factor("PET", [tags], tracer)
    assert suv_factor("PET", [tags | {"0008|0031": "105959.75"}], tracer) == pytest.approx(SUV_OF_5000 / 5000, rel=1e-3)


def test_slices_that_tell_different_begins_are_refused(tmp_path):
    frames = {"SeriesTime": "153000", "AcquisitionTime": "111000", "FrameReferenceTime": "659937", "ActualFrameDuration": "120000"}
    folder = save_series(tmp_path / "pet", **frames)
    header = pydicom.dcmread(folder / "2.dcm")
    header.AcquisitionTime = "112000"
    header.save_as(folder / "2.dcm")
    with pytest.raises(VolumeError, match="tell different times"):
        read_volume(folder)
