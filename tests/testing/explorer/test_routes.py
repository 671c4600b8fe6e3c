"""
Between two processors at most one charges, however requests, processes and rules go wrong; and the
search finds each bug that is planted in what keeps it so. `make simulate` goes every route.
"""

import itertools
from collections import Counter
from dataclasses import replace

import pytest

from payport.domain.errors import InvalidRequest
from payport.domain.outcomes import FailureKind
from payport.operations import routed, sending
from payport.operations.records import OperationRecord
from payport.providers import colours
from payport.providers.outcomes import Failure
from payport.storage.memory_journal import MemoryJournal
from payport.testing.explorer.__main__ import main
from payport.testing.explorer.routes import KINDS, STORIES, Route, Routes
from payport.testing.explorer.stores import STORES
from payport.testing.explorer.two_banks import FAULTS, NAMES, PRICE

IN_MEMORY = Routes(STORES["memory"])
REFUSED = Route("sale", "first", ((1, "connection refused"),))


def went(route, routes=IN_MEMORY):
    outcome, world = routes.one(route)
    assert not outcome.broken, outcome
    return world


@pytest.mark.parametrize("story", STORIES)
def test_whatever_goes_wrong_at_most_one_processor_charges(story):
    routes = charged = moved = 0
    struck = set()
    for route in IN_MEMORY.some(story):
        world = went(route)
        routes += 1
        charged += sum(world.charged().values()) == PRICE.minor
        moved += any("nothing was sent to" in row.route for row in world.journal())
        struck |= set(world.struck)
    assert routes > 125
    assert charged > routes * 0.9, "most shops are paid in the end"
    assert moved > routes * 0.1, "operations do go to another processor"
    assert struck == set(FAULTS)


def pairs_of(story, rules):
    gone = {route.faults for route in IN_MEMORY.faults(story, rules, pairs=True) if not route.open}
    return gone, itertools.product(range(12), FAULTS)


def lived(route):
    """Everything that a world came to."""
    world = went(route)
    banks = [
        (payment.ref, payment.state, payment.updated, repr(payment.tries), repr(payment.captures))
        for name in NAMES
        for payment in world.bank(name).payments
    ]
    rows = [(r.operation, r.state, r.route, r.sends, r.key) for r in world.journal()]
    return rows, banks, world.payment(), world.asked, world.struck


@pytest.mark.parametrize("story", STORIES)
def test_every_fault_strikes_every_request_in_pairs(story):
    gone, every = pairs_of(story, STORIES[story][1][0])
    for faults in sorted(gone)[::13]:
        struck = went(Route(story, STORIES[story][1][0], faults)).struck
        assert struck == Counter(fault for _, fault in faults)
    assert {faults[0] for faults in gone if faults} == {one for one in every if (one,) in gone}
    assert {fault for faults in gone if len(faults) == 2 for _, fault in faults} == set(FAULTS)


@pytest.mark.parametrize("story", STORIES)
def test_a_fault_that_is_left_out_makes_no_other_world(story):
    rules = STORIES[story][1][0]
    gone, every = pairs_of(story, rules)
    kinds = list(every)
    plain = lived(Route(story, rules))
    left_out = [one for one in kinds if (one,) not in gone]
    assert all(lived(Route(story, rules, (one,))) == plain for one in left_out)
    pairs = [(a, b) for a in kinds for b in kinds if a[0] < b[0] and (a,) in gone]
    for one, other in [pair for pair in pairs if pair not in gone][::71]:
        assert lived(Route(story, rules, (one, other))) == lived(Route(story, rules, (one,)))


@pytest.mark.parametrize("story", STORIES)
def test_a_process_dies_at_each_of_its_stops(story):
    for rules in STORIES[story][1]:
        stops = IN_MEMORY.stops(Route(story, rules))
        routes = IN_MEMORY.crashes(story, rules, pairs=True)
        plain = [r for r in routes if not r.faults]
        assert {r.dies for r in plain} == set(range(1, stops + 1))
        assert {r.then for r in plain} == set(range(stops + 1))


def test_files_are_explored_as_memory_is():
    on_disk = Routes(STORES["sqlite"])
    crashes = on_disk.crashes("sale", "first", pairs=False)
    for route in (REFUSED, *itertools.islice(crashes, 0, None, 47)):
        went(route, on_disk)


def test_a_refused_connection_is_paid_at_the_other_one():
    assert went(REFUSED).charged() == {NAMES[0]: 0, NAMES[1]: PRICE.minor}


@pytest.mark.parametrize("kind", KINDS)
def test_a_route_is_repeated_by_its_name(kind):
    for route in itertools.islice(IN_MEMORY.all("sale", "first", kind), 0, None, 103):
        assert Route.parse(str(route)) == route
    raced = Route("sale", "second", races=(3, 4))
    assert Route.parse(str(raced)) == raced


@pytest.mark.parametrize(
    "name",
    ["", "sale", "sale/first/none", "x/first/none/well/0/again/0", "sale/first/1 x/well/0/a/0"],
)
def test_what_is_no_route_is_refused(name):
    with pytest.raises(InvalidRequest):
        Route.parse(name)


def test_the_command_line_goes_one_route(capsys):
    assert main(["--route", str(REFUSED)]) == 0
    assert capsys.readouterr().out == f"held: --route '{REFUSED}'\n"
    assert main(["--route", "nowhere"]) == 2


# -- planted bugs ----------------------------------------------------------------------------------


class Unfenced(MemoryJournal):
    """Moves a row whatever was sent."""

    __slots__ = ()

    def reroute_operation(self, old, new):
        never = {"sends": 0, "doubtful": False}
        self._put(self._data.operations, old.id, replace(self._data.operations[old.id], **never))
        super().reroute_operation(replace(old, **never), new)


def a_time_out_counts_as_refused(monkeypatch):
    monkeypatch.setattr(
        colours,
        "failure_from_transport",
        lambda error: Failure(kind=FailureKind.UNAVAILABLE, message=str(error), unsent=True),
    )


def a_server_error_moves_on(monkeypatch):
    monkeypatch.setattr(sending.Sending, "_may_send_again", lambda self, turn, failure: False)
    monkeypatch.setattr(routed, "_left_unsent", lambda concluded: True)
    monkeypatch.setattr(OperationRecord, "was_never_sent", property(lambda self: True))
    monkeypatch.setattr(MemoryJournal, "reroute_operation", Unfenced.reroute_operation)


def the_last_try_speaks_for_all(monkeypatch):
    monkeypatch.setattr(sending, "_is_unsent", lambda outcome: True)


def a_refusal_hides_a_time_out(monkeypatch):
    the_last_try_speaks_for_all(monkeypatch)
    monkeypatch.setattr(sending, "doubt_in", lambda outcome: None)


def a_payment_moves_whatever_is_left_of_it(monkeypatch):
    monkeypatch.setattr(routed, "has_nothing_to_charge", lambda *args: True)


BUGS = {
    "a time-out counts as refused": (a_time_out_counts_as_refused, "sale"),
    "a server error moves on": (a_server_error_moves_on, "sale"),
    "the last try speaks for all": (the_last_try_speaks_for_all, "sale"),
    "a refusal hides a time-out": (a_refusal_hides_a_time_out, "sale"),
    "moved whatever is left": (a_payment_moves_whatever_is_left_of_it, "second-attempt"),
}


@pytest.mark.parametrize(("plant", "story"), BUGS.values(), ids=BUGS)
def test_a_planted_bug_is_found(plant, story, monkeypatch):
    plant(monkeypatch)
    struck = [((1, one), (2, other)) for one, other in itertools.product(FAULTS, repeat=2)]
    struck += [((number, fault),) for number, fault in itertools.product(range(4), FAULTS)]
    routes = [Route(story, "first", faults) for faults in struck]
    assert any(IN_MEMORY.one(route)[0].broken for route in routes)
