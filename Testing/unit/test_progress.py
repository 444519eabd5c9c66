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


def test_time_left_follows_from_the_steps_after_the_first(a_clock):
    seen = []
    step = Tracker(seen.append).steps("running", 0.2, 0.7)
    for seconds, done in ((9.0, 1), (2.0, 2), (2.0, 3)):
        a_clock.now += seconds
        step(done, 10)
    assert [p.stage for p in seen] == ["running"] * 4
    assert [p.fraction for p in seen] == pytest.approx([0.2, 0.25, 0.3, 0.35])
    assert [p.seconds_left for p in seen] == [None, None, pytest.approx(16), pytest.approx(14)]


def test_steps_in_quick_succession_are_told_of_now_and_then_and_at_the_end(a_clock):
    seen = []
    step = Tracker(seen.append).steps("running", 0.0, 1.0)
    for done in range(1, 1001):
        a_clock.now += 0.001
        step(done, 1000)
    assert 15 < len(seen) < 25
    assert seen[-1].fraction == 1.0


def test_a_run_that_starts_again_does_not_go_backwards(a_clock):
    seen = []
    tracker = Tracker(seen.append)
    tracker.report(0.5, "running")
    tracker.report(0.1, "running")
    assert [p.fraction for p in seen] == [0.5, 0.5]


def test_the_end_is_one_with_nothing_left(a_clock):
    seen = []
    tracker = Tracker(seen.append)
    a_clock.now += 5
    tracker.finish()
    assert (seen[-1].fraction, seen[-1].stage, seen[-1].seconds_left) == (1.0, "done", 0.0)


@pytest.mark.parametrize(("fraction", "shown"), [(-0.1, 0.0), (1.2, 1.0)])
def test_a_fraction_stays_between_zero_and_one(fraction, shown, a_clock):
    seen = []
    a_tracker = Tracker(seen.append)
    a_clock.now += 5
    a_tracker.report(fraction, "running")
    assert seen[0].fraction == shown


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
