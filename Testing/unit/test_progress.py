import pytest

from deepseg import progress
from deepseg.errors import Cancelled
from deepseg.progress import Tracker


@pytest.fixture
def a_clock(monkeypatch):
    """A clock that stands still until it is told to move on."""

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_time_left_follows_from_the_time_taken(a_clock):
    seen = []
    tracker = Tracker(seen.append)
    a_clock.now += 10
    tracker.report(0.25, "running")
    assert (seen[0].fraction, seen[0].stage) == (0.25, "running")
    assert seen[0].seconds_left == pytest.approx(30)


def test_time_left_is_unknown_at_the_start(a_clock):
    seen = []
    tracker = Tracker(seen.append)
    tracker.report(0.0, "loading")
    a_clock.now += 0.1
    tracker.report(0.5, "running")
    a_clock.now += 10
    tracker.report(0.01, "running")
    assert [p.seconds_left for p in seen] == [None, None, None]


def test_the_end_is_one_with_nothing_left(a_clock):
    seen = []
    tracker = Tracker(seen.append)
    a_clock.now += 5
    tracker.finish()
    assert (seen[-1].fraction, seen[-1].stage, seen[-1].seconds_left) == (1.0, "done", 0.0)


@pytest.mark.parametrize(("fraction", "shown"), [(-0.1, 0.0), (1.2, 1.0)])
def test_a_fraction_stays_between_zero_and_one_and_time_left_is_never_negative(fraction, shown, a_clock):
    seen = []
    a_tracker = Tracker(seen.append)
    a_clock.now += 5
    a_tracker.report(fraction, "running")
    assert seen[0].fraction == shown
    assert seen[0].seconds_left is None or seen[0].seconds_left >= 0


def test_seconds_are_summed_for_each_stage_in_order(a_clock):
    tracker = Tracker(None)
    for stage, seconds in (("loading", 1.0), ("running", 4.0), ("running", 2.0), ("writing", 0.5)):
        tracker.report(0.5, stage)
        a_clock.now += seconds
    taken = tracker.finish()
    assert taken == pytest.approx({"loading": 1.0, "running": 6.0, "writing": 0.5})
    assert list(taken) == ["loading", "running", "writing"]


def test_a_callback_can_stop_the_run():
    def stop(state) -> None:
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        Tracker(stop).report(0.1, "running")
