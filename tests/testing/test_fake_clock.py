from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from payport.domain.errors import InvalidRequest
from payport.testing import FakeClock


def test_it_stands_until_it_is_told_to_move():
    clock = FakeClock()

    assert datetime(2026, 1, 1, tzinfo=UTC) == clock.now()
    assert clock.now() is clock.now()
    assert clock.monotonic() == 0.0


def test_it_tells_utc_wherever_it_was_started():
    clock = FakeClock(datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2))))

    assert datetime(2026, 1, 1, 10, tzinfo=UTC) == clock.now()
    assert UTC is clock.now().tzinfo


def test_sleeping_takes_no_time_and_advances_both_clocks():
    clock = FakeClock()
    began = time.monotonic()

    clock.sleep(3600)
    asyncio.run(clock.asleep(1800.5))

    assert time.monotonic() - began < 1
    assert datetime(2026, 1, 1, 1, 30, 0, 500_000, tzinfo=UTC) == clock.now()
    assert clock.monotonic() == 5400.5


@pytest.mark.parametrize("seconds", [0, -3])
def test_sleeping_for_no_time_is_allowed_as_time_sleep_never_was_in_a_hurry(seconds):
    clock = FakeClock()

    clock.sleep(seconds)

    assert clock.monotonic() == 0.0


def test_an_async_sleep_lets_other_tasks_run():
    clock, seen = FakeClock(), []

    async def sleeper() -> None:
        seen.append("falls asleep")
        await clock.asleep(1)
        seen.append("wakes")

    async def other() -> None:
        seen.append("runs")

    async def both() -> None:
        await asyncio.gather(sleeper(), other())

    asyncio.run(both())

    assert seen == ["falls asleep", "runs", "wakes"]


def test_only_the_wall_clock_steps_back():
    clock = FakeClock()
    clock.advance(timedelta(minutes=10))

    clock.step_back(timedelta(minutes=3))
    clock.step_back(60)

    assert datetime(2026, 1, 1, 0, 6, tzinfo=UTC) == clock.now()
    assert clock.monotonic() == 600.0


@pytest.mark.parametrize("move", ["advance", "step_back"])
def test_each_way_has_a_verb_of_its_own(move):
    with pytest.raises(InvalidRequest, match=move):
        getattr(FakeClock(), move)(-1)


def test_a_naive_start_is_refused():
    with pytest.raises(InvalidRequest, match="naive"):
        FakeClock(datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused


def test_timers_run_in_the_order_of_their_moments_at_their_moments():
    clock, seen = FakeClock(), []
    clock.call_later(20, lambda: seen.append((clock.monotonic(), "later")))
    clock.call_at(clock.now() + timedelta(seconds=10), lambda: seen.append((10.0, "sooner")))
    clock.call_later(20, lambda: seen.append((clock.monotonic(), "second")))

    clock.advance(15)
    assert seen == [(10.0, "sooner")]

    clock.advance(100)
    assert seen == [(10.0, "sooner"), (20.0, "later"), (20.0, "second")]
    assert clock.monotonic() == 115.0


def test_a_timer_for_the_past_runs_at_the_next_advance_and_moves_nothing_back():
    clock, seen = FakeClock(), []
    clock.advance(50)
    clock.call_at(clock.now() - timedelta(seconds=30), lambda: seen.append(clock.monotonic()))

    clock.advance(0)

    assert seen == [50.0]


def test_a_timer_may_sleep_too():
    clock = FakeClock()
    clock.call_later(1, lambda: clock.sleep(60))

    clock.advance(2)

    assert clock.monotonic() == 61.0


def test_its_repr_tells_the_time():
    assert repr(FakeClock()) == "FakeClock(2026-01-01T00:00:00+00:00)"
