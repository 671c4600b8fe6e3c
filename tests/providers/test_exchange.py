"""Exchanges: one generator in both colours, and the bookkeeping of what went on the wire."""

import asyncio
import pickle
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from payport.domain.frozen import FrozenMapping
from payport.providers.exchange import (
    Call,
    Request,
    Response,
    SendRefused,
    TransportError,
    Wire,
    run,
    run_async,
)

SECOND_STEP = "confirm"


def request(operation="create_payment", **more):
    return Request(operation=operation, method="POST", target="/v1/things", **more)


def page(number):
    return Request(
        operation="find", method="GET", target=f"/v1/things?page={number}", mutates=False
    )


def three_pages():
    """Reads pages while there are more; returns what all of them held."""
    found = []
    for number in (1, 2, 3):
        response = yield page(number)
        found.append(response.body.decode())
        if response.status != 200:
            return found, "stopped"
    return found, "done"


class Recorder:
    """Answers each request with the next of the given answers, and remembers the requests."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.seen = []

    def __call__(self, sent):
        self.seen.append(sent)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def later(self, sent):
        await asyncio.sleep(0)
        return self(sent)


def ok(body=b"", status=200):
    return Response(status=status, body=body)


def in_both_colours(exchange, *answers):
    """The results and the requests of both; checks that they are the same."""
    blocking, awaited = Recorder(*answers), Recorder(*answers)
    results = (
        run(exchange(), blocking),
        asyncio.run(run_async(exchange(), awaited.later)),
    )
    assert results[0] == results[1]
    assert blocking.seen == awaited.seen
    return results[0], blocking.seen


def driven(exchange, sender, colour):
    """The result in one colour."""
    if colour == "blocking":
        return run(exchange, sender)
    return asyncio.run(run_async(exchange, sender.later))


# -- both colours -------------------------------------------------------------------------------


def test_an_exchange_is_tested_with_next_and_send():
    exchange = three_pages()
    assert next(exchange) == page(1)
    assert exchange.send(ok(b"a")) == page(2)
    assert exchange.send(ok(b"b")) == page(3)
    with pytest.raises(StopIteration) as finished:
        exchange.send(ok(b"c"))
    assert finished.value.value == (["a", "b", "c"], "done")


def test_both_colours_send_the_same_requests_and_return_the_same():
    result, seen = in_both_colours(three_pages, ok(b"a"), ok(b"b"), ok(b"c"))
    assert result == (["a", "b", "c"], "done")
    assert seen == [page(1), page(2), page(3)]


def test_an_exchange_decides_by_what_comes_back_when_it_is_done():
    result, seen = in_both_colours(three_pages, ok(b"a"), ok(b"gone", status=404))
    assert result == (["a", "gone"], "stopped")
    assert len(seen) == 2


def test_an_exchange_may_need_no_request_at_all():
    def nothing():
        return "known already"
        yield

    assert in_both_colours(nothing) == ("known already", [])


class Watched:
    """An exchange that remembers whether it was closed, and what was thrown into it."""

    def __init__(self):
        self.closed = False
        self.thrown = []

    def __call__(self):
        try:
            yield page(1)
            yield page(2)
        except Exception as error:
            self.thrown.append(error)
            raise
        finally:
            self.closed = True


@pytest.mark.parametrize(
    "error", [TransportError("reset", sent=True), SendRefused(), ValueError(), KeyboardInterrupt()]
)
@pytest.mark.parametrize("colour", ["blocking", "awaited"])
def test_whatever_the_sender_raises_reaches_the_caller_and_the_exchange_is_closed(error, colour):
    watched, sender = Watched(), Recorder(ok(), error)
    exchange = watched()
    with pytest.raises(type(error)) as caught:
        driven(exchange, sender, colour)
    assert caught.value is error
    assert watched.closed
    assert watched.thrown == []
    # Not only collected: closed before the caller goes on.
    assert exchange.gi_frame is None


def test_an_exchange_that_fails_fails_in_both_colours():
    def broken():
        yield page(1)
        raise LookupError("no such field")

    with pytest.raises(LookupError):
        run(broken(), Recorder(ok()))
    with pytest.raises(LookupError):
        asyncio.run(run_async(broken(), Recorder(ok()).later))


@pytest.mark.parametrize("colour", ["blocking", "awaited"])
def test_a_sender_that_runs_out_of_answers_is_not_taken_for_the_end_of_the_exchange(colour):
    used_up = Recorder(ok(b"a"), StopIteration())
    with pytest.raises(RuntimeError, match="raised StopIteration"):
        driven(three_pages(), used_up, colour)


def test_a_canceled_task_ends_its_exchange_and_stays_canceled():
    watched = Watched()

    async def never(sent):
        await asyncio.Event().wait()

    async def main():
        task = asyncio.create_task(run_async(watched(), never))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return task.cancelled()

    assert asyncio.run(main())
    assert watched.closed
    assert watched.thrown == []


# -- the wire -----------------------------------------------------------------------------------


def guard_that_counts(refuse_at=None):
    calls = []

    def guard():
        calls.append(None)
        if len(calls) == refuse_at:
            raise SendRefused

    return guard, calls


def test_the_guard_is_asked_before_each_send_reads_included():
    guard, calls = guard_that_counts()
    wire = Wire(Call(guard=guard))
    for sent in (page(1), request(), page(2)):
        wire.outgoing(sent)
    assert len(calls) == 3


def test_what_the_guard_forbids_first_is_not_sent():
    guard, _ = guard_that_counts(refuse_at=1)
    wire = Wire(Call(guard=guard))
    with pytest.raises(SendRefused):
        wire.outgoing(request())
    assert wire.answered == 0


def test_reads_before_a_mutation_leave_it_provable_that_nothing_was_sent():
    guard, _ = guard_that_counts(refuse_at=2)
    wire = Wire(Call(guard=guard))
    wire.outgoing(page(1))
    with pytest.raises(SendRefused):
        wire.outgoing(request())


def test_a_refusal_after_an_answered_mutation_does_not_say_that_nothing_was_sent():
    guard, _ = guard_that_counts(refuse_at=2)
    wire = Wire(Call(guard=guard))
    wire.outgoing(request())
    with pytest.raises(TransportError) as caught:
        wire.outgoing(request(step=SECOND_STEP))
    # The request itself was not sent; the runner demotes by what was answered before it.
    assert not caught.value.sent
    assert isinstance(caught.value.__cause__, SendRefused)
    assert wire.answered == 1


def test_the_stored_request_is_sent_in_place_of_the_step_that_it_is_of():
    stored = request(body=b"of an older version")
    wire = Wire(Call(exact=stored))
    assert wire.outgoing(page(1)) == page(1)
    assert wire.outgoing(request(body=b"of this version")) is stored
    second = request(step=SECOND_STEP)
    assert wire.outgoing(second) is second


def test_a_read_is_never_replaced_by_the_stored_request():
    stored = request(operation="find")
    assert Wire(Call(exact=stored)).outgoing(page(1)) == page(1)


def test_a_stored_second_step_does_not_replace_the_first():
    stored = request(step=SECOND_STEP, body=b"stored")
    wire = Wire(Call(exact=stored))
    assert wire.outgoing(request()) == request()
    assert wire.outgoing(request(step=SECOND_STEP)) is stored


def test_without_a_stored_request_everything_goes_out_as_it_was_made():
    first = request()
    assert Wire(Call()).outgoing(first) is first


def test_what_was_answered_counts_mutations_before_the_latest_request():
    wire = Wire(Call())
    counted = []
    for sent in (page(1), request(), page(2), request(step=SECOND_STEP), page(3)):
        wire.outgoing(sent)
        counted.append(wire.answered)
    assert counted == [0, 0, 1, 1, 2]


# -- requests as a journal keeps them -------------------------------------------------------------

texts = st.text(max_size=20)
requests = st.builds(
    Request,
    operation=texts,
    method=st.sampled_from(["POST", "DELETE"]),
    target=texts,
    headers=st.dictionaries(texts, texts, max_size=3).map(FrozenMapping),
    body=st.binary(max_size=60),
    key=st.none() | texts,
    step=texts,
)


@given(requests)
@example(request(body=b" \x00\xff\r\n", key=" ", step="\ud800"))
def test_a_stored_request_comes_back_byte_for_byte(made):
    back = Request.from_bytes(made.to_bytes())
    assert back == made
    assert back.body == made.body
    assert list(back.headers.items()) == list(made.headers.items())
    assert back.to_bytes() == made.to_bytes()


def test_the_stored_form_is_frozen_because_older_rows_are_read_by_newer_versions():
    stored = (
        b'{"operation":"create_payment","method":"POST","target":"/v1/things",'
        b'"headers":{"content-type":"text/plain"},"body":"YW1vdW50PTU=","key":"pp1_x","step":""}'
    )
    made = request(
        headers=FrozenMapping({"content-type": "text/plain"}), body=b"amount=5", key="pp1_x"
    )
    assert made.to_bytes() == stored
    assert Request.from_bytes(stored) == made


def test_what_was_stored_may_be_sent_and_changes_something():
    back = Request.from_bytes(request().to_bytes())
    assert (back.mutates, back.storable) == (True, True)


def test_headers_and_bodies_stay_out_of_what_is_printed():
    secret = "canary_header"
    made = request(headers=FrozenMapping({"x": secret}), body=secret.encode())
    answered = Response(status=200, headers=made.headers, body=made.body)
    assert secret not in repr(made)
    assert secret not in repr(answered)
    assert secret not in repr(Call(exact=made))


def test_requests_are_values():
    assert hash(request()) == hash(request())
    assert pickle.loads(pickle.dumps(request())) == request()  # noqa: S301 - our own bytes
    assert replace(request(), body=b"x") != request()
