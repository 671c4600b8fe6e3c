import asyncio
import copy
import threading

import pytest

from payport.testing.blocking import Blocking


class Service:
    name = "a plain attribute"

    def __init__(self):
        self.loops = []
        self.closed = 0

    async def add(self, a, b=1):
        """Add two numbers."""
        await asyncio.sleep(0)
        self.loops.append(asyncio.get_running_loop())
        return a + b

    def plain(self):
        self.loops.append(asyncio.get_running_loop())
        return "plain"

    def later(self):
        return self.add(1, 2)

    async def fail(self):
        raise LookupError("from inside")

    async def count(self, to):
        for number in range(to):
            yield number

    async def listing(self, to):
        return self.count(to)

    async def aclose(self):
        self.closed += 1


def test_coroutine_methods_run_to_their_end():
    with Blocking(Service()) as service:
        assert service.add(1, b=2) == 3
        assert service.later() == 3
        assert service.name == "a plain attribute"
        assert service.add.__doc__ == "Add two numbers."


def test_everything_runs_in_one_loop_even_what_is_plain():
    target = Service()
    with Blocking(target) as service:
        service.add(1)
        service.add(1)
        assert service.plain() == "plain"
    assert len(set(target.loops)) == 1
    assert len(target.loops) == 3


def test_async_iterables_become_lists():
    with Blocking(Service()) as service:
        assert service.count(3) == [0, 1, 2]
        assert service.listing(2) == [0, 1]


def test_exceptions_come_through():
    with Blocking(Service()) as service, pytest.raises(LookupError, match="from inside"):
        service.fail()


def test_no_thread_is_started():
    before = threading.active_count()
    with Blocking(Service()) as service:
        service.add(1)
        assert threading.active_count() == before


def test_closing_closes_the_target_once_and_ends_the_loop():
    target = Service()
    service = Blocking(target)
    service.add(1)
    service.close()
    service.close()
    assert target.closed == 1
    assert target.loops[0].is_closed()
    with pytest.raises(RuntimeError, match="closed"):
        service.add(1)


def test_what_cannot_be_closed_is_not():
    with Blocking(object()) as view:
        assert repr(view).startswith("Blocking(<object object")


def test_a_view_beside_another_shares_its_loop_and_leaves_it_open():
    target, other = Service(), Service()
    with Blocking(target) as service:
        beside = Blocking(other, beside=service)
        service.add(1)
        beside.add(1)
        beside.close()
        assert other.closed == 1
        assert service.add(1) == 2
    assert target.loops[0] is other.loops[0]


def test_threads_take_turns():
    target = Service()
    with Blocking(target) as service:
        threads = [threading.Thread(target=service.add, args=(1,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(target.loops) == 8


def test_a_view_can_be_looked_at_before_it_is_made():
    # copy and pickle do.
    assert not hasattr(Blocking.__new__(Blocking), "_target")
    with Blocking(Service()) as service:
        assert copy.copy(service)._target is service._target
