"""Sync and async are one code base: the same names, arguments, defaults and documentation."""

import inspect

import pytest

import payport
from payport.client.listing import AsyncListing, Listing
from payport.client.operations import AsyncOperations, Operations
from payport.client.payments import AsyncPayments, Payments
from payport.client.refunds import AsyncRefunds, Refunds
from payport.client.webhooks import AsyncWebhooks, Webhooks

TWINS = [
    (payport.Payport, payport.AsyncPayport),
    (Payments, AsyncPayments),
    (Refunds, AsyncRefunds),
    (Operations, AsyncOperations),
    (Webhooks, AsyncWebhooks),
    (Listing, AsyncListing),
]
#: Names that differ because Python's protocols do.
RENAMED = {
    "close": "aclose",
    "__enter__": "__aenter__",
    "__exit__": "__aexit__",
    "__iter__": "__aiter__",
}
#: Methods of an awaited class that are not awaited themselves: they do no I/O.
PLAIN = {"scoped", "list", "list_from_provider", "runs"}
PLAIN |= {"__repr__", "__reduce__", "__init__", "__aiter__"}


def methods(kind):
    """The class's own methods that somebody may call."""
    return {
        name: function
        for name, function in vars(kind).items()
        if inspect.isfunction(function) and (not name.startswith("_") or name.startswith("__"))
    }


twins = pytest.mark.parametrize(
    ("plain", "awaited"), TWINS, ids=[plain.__name__ for plain, _ in TWINS]
)


@twins
def test_both_have_the_same_methods(plain, awaited):
    assert {RENAMED.get(name, name) for name in methods(plain)} == set(methods(awaited))
    properties = [
        {name for name, value in vars(kind).items() if isinstance(value, property)}
        for kind in (plain, awaited)
    ]
    assert properties[0] == properties[1]


@twins
def test_both_take_the_same_arguments(plain, awaited):
    for name, function in methods(plain).items():
        twin = methods(awaited)[RENAMED.get(name, name)]
        mine, theirs = (inspect.signature(one).parameters for one in (function, twin))
        assert list(mine) == list(theirs), name
        for parameter in mine:
            assert mine[parameter].default == theirs[parameter].default, (name, parameter)
            assert mine[parameter].kind == theirs[parameter].kind, (name, parameter)
            said = str(theirs[parameter].annotation).replace("Async", "")
            said = said.replace("Awaitable[Any]", "Any").replace("asyncio.Event", "Event")
            assert str(mine[parameter].annotation) == said, (name, parameter)


@twins
def test_both_return_the_same(plain, awaited):
    for name, function in methods(plain).items():
        twin = methods(awaited)[RENAMED.get(name, name)]
        mine, theirs = (str(inspect.signature(one).return_annotation) for one in (function, twin))
        assert theirs.replace("Async", "") == mine, name


@twins
def test_what_does_io_is_awaited_and_nothing_else(plain, awaited):
    for name, function in methods(awaited).items():
        assert inspect.iscoroutinefunction(function) is (name not in PLAIN), name
    for name, function in methods(plain).items():
        assert not inspect.iscoroutinefunction(function), name


@twins
def test_every_public_method_says_what_it_does(plain, awaited):
    for kind in (plain, awaited):
        assert kind.__doc__
        for name, function in methods(kind).items():
            assert name.startswith("__") or function.__doc__, (kind, name)


def test_resources_have_the_same_names():
    names = {"payments", "refunds", "operations", "webhooks"}
    for kind in (payport.Payport, payport.AsyncPayport):
        assert names <= set(kind.__annotations__)
