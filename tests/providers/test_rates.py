"""So many requests in any one second, and no background thread."""

import threading

import pytest

from payport.providers.rates import NoLimit, RateLimit, rate_limit
from payport.testing import FakeClock


def taken(limit, clock, seconds):
    """At which moments requests go out, when everybody waits as long as they are told."""
    moments = []
    while clock.monotonic() < seconds:
        wait = limit.wait()
        if wait:
            clock.advance(wait)
        else:
            moments.append(clock.monotonic())
    return moments


@pytest.mark.parametrize("rate", [1, 7, 25, 100])
def test_no_second_holds_more_than_the_rate_and_none_is_wasted(rate):
    clock = FakeClock()
    moments = taken(RateLimit(rate, clock.monotonic), clock, 5)
    for index, moment in enumerate(moments):
        within = [m for m in moments[index:] if m < moment + 1]
        assert len(within) <= rate
    assert len(moments) >= rate * 5 * 0.95


def test_a_turn_that_is_free_is_not_waited_for():
    clock = FakeClock()
    limit = RateLimit(3, clock.monotonic)
    assert [limit.wait() for _ in range(3)] == [0, 0, 0]
    assert 0 < limit.wait() <= 1.001


def test_the_limit_holds_for_all_threads_together():
    clock = FakeClock()
    limit = RateLimit(20, clock.monotonic)
    granted = []

    def ask():
        granted.extend(limit.wait() == 0 for _ in range(10))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    before = threading.active_count()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 20
    assert threading.active_count() == before


def test_without_a_rate_nobody_waits():
    for none in (None, 0):
        limit = rate_limit(none, FakeClock().monotonic)
        assert isinstance(limit, NoLimit)
        assert limit.wait() == 0
