"""Learning rates over a run, against values computed by hand."""

import pytest

from deepseg_train.training.schedules import ScheduleSettings, rate_of

STEPS, EPOCHS = 10, 100


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # Half way between the end of the warm-up (step 100 of 1000) and the end: (1 + cos(pi / 2)) / 2.
        (ScheduleSettings("cosine", warmup_epochs=10), {0: 0.01, 99: 1.0, 100: 1.0, 550: 0.5, 1000: 0.0, 2000: 0.0}),
        (ScheduleSettings("polynomial", warmup_epochs=0, power=0.9), {0: 1.0, 500: 0.5**0.9, 1000: 0.0}),
        (ScheduleSettings("step", warmup_epochs=0, step_epochs=30, factor=0.1), {0: 1.0, 299: 1.0, 300: 0.1, 600: 0.01, 999: 0.001}),
        (ScheduleSettings("constant", warmup_epochs=1), {0: 0.1, 9: 1.0, 999: 1.0}),
        (ScheduleSettings("cosine", warmup_epochs=0, lowest=0.2), {0: 1.0, 1000: 0.2}),
    ],
)
def test_rates(settings, expected):
    rate = rate_of(settings, STEPS, EPOCHS)
    assert {step: rate(step) for step in expected} == pytest.approx(expected, abs=1e-12)
