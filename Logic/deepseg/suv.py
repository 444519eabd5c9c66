"""Standardised uptake values of a PET series from its DICOM tags: body weight, in g/mL.

The rules are those of QIBA's pseudo-code for SUVbw (happy path and vendor-neutral fall-backs): SUV = activity concentration in Bq/mL
x weight in g / injected dose in Bq, the dose decayed to the time that the image is decay-corrected to. Whatever a tag leaves open is refused,
since a wrong SUV looks like a right one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import exp, inf, log

from deepseg.errors import VolumeError

TRACER_SEQUENCE = (0x0054, 0x0016)
_DOSE, _HALF_LIFE = (0x0018, 0x1074), (0x0018, 0x1075)
_START_DATETIME, _START_TIME = (0x0018, 0x1078), (0x0018, 0x1072)

_UNITS, _SUV_TYPE, _DECAY, _CORRECTED = "0054|1001", "0054|1006", "0054|1102", "0028|0051"
_WEIGHT, _TIMEZONE = "0010|1030", "0008|0201"
_SERIES_DATE, _SERIES_TIME = "0008|0021", "0008|0031"
_DATE, _TIME = "0008|0022", "0008|0032"
_FRAME_REFERENCE_MS, _FRAME_DURATION_MS = "0054|1300", "0018|1242"
_PHILIPS, _PHILIPS_GROUP = "Philips PET Private Group", "7053|"

_NEEDED = {_UNITS, _SUV_TYPE, _DECAY, _CORRECTED, _WEIGHT, _TIMEZONE, _SERIES_DATE, _SERIES_TIME, _DATE, _TIME}
_NEEDED |= {_FRAME_REFERENCE_MS, _FRAME_DURATION_MS}

_LARGEST_ERROR = 0.01
_SMALLEST_DOSE_BQ = 1e4
_MOST_HALF_LIVES = 10.0
_WESTERNMOST = timedelta(hours=-10, minutes=-30)
"""Clocks lie between Hawaii's, 10 hours behind UTC, and New Zealand's in summer, 13 before it: within a day, so a time of day is of one date."""


def is_needed(key: str) -> bool:
    """Whether a tag of a slice, for example '0010|1030', may matter to its SUV."""
    return key in _NEEDED or key.startswith(_PHILIPS_GROUP)


def suv_factor(name: str, slices: Sequence[Mapping[str, str]], tracer: Mapping[tuple[int, int], str]) -> float:
    """What a rescaled pixel value must be multiplied by to be an SUV by body weight.

    Args:
        name: what to call the series in messages.
        slices: each slice's tags as text, keys such as '0054|1001'.
        tracer: the first item of the Radiopharmaceutical Information Sequence.

    Raises:
        VolumeError: a tag that is needed is missing, or two of them contradict each other.
    """
    first = slices[0]
    units = first.get(_UNITS, "")
    if units == "GML":
        if first.get(_SUV_TYPE, "") not in ("", "BW"):
            raise VolumeError(
                f"The PET series {name} is in SUV of the type {first[_SUV_TYPE]}; expected body weight (BW). Export it as SUVbw or Bq/mL."
            )
        return 1.0
    _refuse_uncorrected(name, first)
    if units == "CNTS":
        private = _philips(first)
        if (factor := _number(private.get("00"))) > 0:
            return factor
        if (factor := _number(private.get("09"))) > 0:
            return factor * _factor_of_becquerels(name, slices, tracer)
        raise _missing(name, "the scale factors of its counts, Philips' private tags (7053,xx00) or (7053,xx09)")
    if units != "BQML":
        told = f"in units of {units}" if units else "without units (0054,1001)"
        raise VolumeError(f"The PET series {name} is {told}; expected BQML, GML or Philips' CNTS. Export it in Bq/mL or as SUVbw.")
    return _factor_of_becquerels(name, slices, tracer)


def _factor_of_becquerels(name: str, slices: Sequence[Mapping[str, str]], tracer: Mapping[tuple[int, int], str]) -> float:
    weight_kg = _number(slices[0].get(_WEIGHT))
    if not 0 < weight_kg < inf:
        raise _missing(name, "Patient's Weight (0010,1030)")
    dose = _number(tracer.get(_DOSE))
    if not 0 < dose < inf:
        raise _missing(name, "Radionuclide Total Dose (0018,1074)")
    if dose < _SMALLEST_DOSE_BQ:
        raise VolumeError(
            f"The PET series {name} gives a Radionuclide Total Dose (0018,1074) of {dose:g} Bq, which is no dose: it is probably written in MBq. "
            "Correct the tag."
        )
    decay = slices[0].get(_DECAY, "")
    if decay == "ADMIN":
        return 1000 * weight_kg / dose
    if decay != "START":
        raise _missing(name, f"a Decay Correction (0054,1102) to START or ADMIN (it says '{decay}')")
    half_life_s = _number(tracer.get(_HALF_LIFE))
    if not 0 < half_life_s < inf:
        raise _missing(name, "Radionuclide Half Life (0018,1075)")
    scan = _scan_time(name, slices, half_life_s)
    waited_s = (scan - _injection_time(name, scan, slices[0], tracer)).total_seconds()
    if not 0 <= waited_s <= _MOST_HALF_LIVES * half_life_s:
        raise VolumeError(
            f"The PET series {name} begins {waited_s / 3600:.2f} hours after its injection by its tags (Radiopharmaceutical Start, Series and "
            f"Acquisition Time), which cannot be at a half life of {half_life_s / 3600:.2f} hours. Correct these tags, or export it as SUVbw."
        )
    return 1000 * weight_kg / (dose * 2 ** (-waited_s / half_life_s))


def _scan_time(name: str, slices: Sequence[Mapping[str, str]], half_life_s: float) -> datetime:
    """When the scan began: the series' time, or where that is of later processing, what the frames' times tell."""
    acquired = [_moment(name, tags, _DATE, _TIME, "Acquisition Date and Time (0008,0022), (0008,0032)") for tags in slices]
    series = _moment(name, slices[0], _SERIES_DATE, _SERIES_TIME, "Series Date and Time (0008,0021), (0008,0031)")
    if series <= min(acquired):
        return series
    begins = []
    for tags, moment in zip(slices, acquired, strict=True):
        reference_ms, duration_ms = _number(tags.get(_FRAME_REFERENCE_MS)), _number(tags.get(_FRAME_DURATION_MS))
        if not (0 < reference_ms < inf and 0 < duration_ms < inf):
            raise _missing(
                name,
                "Frame Reference Time (0054,1300) and Actual Frame Duration (0018,1242), needed as its Series Time lies after its Acquisition Time",
            )
        # The moment within the frame at which the tracer's rate is the frame's mean rate.
        rate = log(2) / half_life_s
        within = rate * duration_ms / 1000
        average_s = log(within / (1 - exp(-within))) / rate
        begins.append(moment + timedelta(seconds=average_s - reference_ms / 1000))
    if (max(begins) - min(begins)).total_seconds() * log(2) / half_life_s > _LARGEST_ERROR:
        raise VolumeError(f"The slices of the PET series {name} tell different times for the scan's begin. Export it as SUVbw.")
    return min(begins)


def _injection_time(name: str, scan: datetime, tags: Mapping[str, str], tracer: Mapping[tuple[int, int], str]) -> datetime:
    """When the tracer was given, by the clock that the scan's times are of."""
    stamp, time = tracer.get(_START_DATETIME, ""), tracer.get(_START_TIME, "")
    found = re.fullmatch(r"(.{8})([^+-]*)([+-]\d{4})?", stamp.strip())
    moment = found and _parsed(found[1], found[2])
    if moment is not None and found[3]:
        return _in_scans_zone(name, moment - _offset(found[3]), tags.get(_TIMEZONE, ""), time)
    if moment is not None:
        return moment
    clock = _parsed(scan.strftime("%Y%m%d"), time)
    if clock is None:
        raise _missing(name, "Radiopharmaceutical Start DateTime (0018,1078) or Start Time (0018,1072)")
    # A time of day later than the scan's is that of the evening before.
    return clock if clock <= scan else clock - timedelta(days=1)


def _in_scans_zone(name: str, moment: datetime, zone: str, time: str) -> datetime:
    """A moment in UTC by the scan's clock: by its offset `zone`, or where that is not told, by what the same clock showed, `time`."""
    if re.fullmatch(r"[+-]\d{4}", zone):
        return moment + _offset(zone)
    earliest = moment + _WESTERNMOST
    clock = _parsed(earliest.strftime("%Y%m%d"), time)
    if clock is None:
        raise _missing(
            name,
            "Timezone Offset From UTC (0008,0201) or Radiopharmaceutical Start Time (0018,1072), needed as its Radiopharmaceutical Start DateTime "
            "(0018,1078) is of a time zone of its own",
        )
    return clock if clock >= earliest else clock + timedelta(days=1)


def _offset(zone: str) -> timedelta:
    """DICOM's '+0130' or '-0500'."""
    return timedelta(hours=int(zone[:3]), minutes=int(zone[0] + zone[3:]))


def _moment(name: str, tags: Mapping[str, str], date: str, time: str, words: str) -> datetime:
    moment = _parsed(tags.get(date, ""), tags.get(time, ""))
    if moment is None:
        raise _missing(name, words)
    return moment


def _parsed(date: str, time: str) -> datetime | None:
    """A DICOM date and time of at least hours and minutes; None where they are not that."""
    digits, _, fraction = time.strip().replace(":", "").partition(".")
    try:
        whole = datetime.strptime(date.strip().replace(".", "") + digits.ljust(6, "0"), "%Y%m%d%H%M%S") if len(digits) >= 4 else None
        moment = whole and whole + timedelta(seconds=float(f"0.{fraction or 0}"))
    except (ValueError, OverflowError):
        return None
    # At the ends of Python's calendar there is no day before or after.
    return moment if moment and 1900 <= moment.year < 9999 else None


def _refuse_uncorrected(name: str, tags: Mapping[str, str]) -> None:
    corrections = tags.get(_CORRECTED, "").split("\\")
    for word, what in (("ATTN", "attenuation"), ("DECY", "decay")):
        if word not in (correction.strip() for correction in corrections):
            raise VolumeError(
                f"The PET series {name} is not corrected for {what} by its tag Corrected Image (0028,0051), so it has no SUV. "
                "Choose the corrected series."
            )


def _philips(tags: Mapping[str, str]) -> dict[str, str]:
    """Elements of Philips' private block by the last two digits of their number."""
    blocks = [key[-2:] for key, value in tags.items() if key.startswith(f"{_PHILIPS_GROUP}00") and value == _PHILIPS]
    return {key[-2:]: value for block in blocks for key, value in tags.items() if key.startswith(f"{_PHILIPS_GROUP}{block}")}


def _number(text: str | None) -> float:
    """A decimal string; NaN, which is in no range, where it is none."""
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _missing(name: str, what: str) -> VolumeError:
    return VolumeError(f"The PET series {name} lacks {what}, without which its SUV is unknown. Export it with that tag, or as SUVbw (GML).")
