import pytest

from tf_inpaint.training import stopwatch
from tf_inpaint.training.stopwatch import Stopwatch, duration


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600 * 5 + 61, "5 h 1 min"),
        (86400 * 12 + 3 * 3600, "12 d 3 h"),
    ],
)
def test_duration_in_its_two_largest_units(seconds, text):
    assert duration(seconds) == text


def test_counts_only_steps_and_time_while_it_runs(monkeypatch):
    times = iter([10.0, 10.5])
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: next(times))
    watch = Stopwatch()
    watch.count_step()  # not running: not counted
    assert watch.take_rate() is None
    watch.start()
    assert watch.running
    watch.count_step()
    watch.count_step()
    watch.stop()
    assert not watch.running
    assert watch.take_rate() == 4.0
    assert watch.take_rate() is None
