"""
What is not known is never guessed, never done twice, and found out by asking again.

Every fault at every operation, at processors of three kinds, in both colours.
"""

from dataclasses import replace

import pytest
from shops import (
    BEHAVIOURS,
    VISA,
    Doing,
    blocking,
    each_behaviour,
    each_colour,
    each_operation,
    usd,
    with_keys,
)

from payport import (
    AuthenticationFailed,
    OperationInProgress,
    OutcomeUnknown,
    ProviderPermissionDenied,
    ProviderUnavailable,
    RateLimited,
)
from payport.testing import (
    Conflict,
    ConnectionRefused,
    Crash,
    CrashAfter,
    Forbidden,
    Garbled,
    LostRequest,
    LostResponse,
    ServerError,
    Slow,
    TimedOut,
    Truncated,
    Unauthorized,
    Unavailable,
)
from payport.testing import RateLimited as TooMany

DAY = 24 * 3600
CREATE = Doing("create_payment")

#: Faults after which the request may have been executed.
DOUBTFUL = [
    LostRequest(),
    LostResponse(),
    TimedOut(effect=True),
    TimedOut(effect=False),
    ServerError(effect=True),
    ServerError(effect=False),
    ServerError(effect=True, status=503),
    Truncated(),
    Garbled(),
    Garbled(status=400),
    Slow(15.0),
    Conflict(),
]
#: Faults that prove that it was not, and what they are told as.
PROVEN = {
    ConnectionRefused(): ProviderUnavailable,
    Unavailable(): ProviderUnavailable,
    TooMany(): RateLimited,
    TooMany(retry_after=60): RateLimited,
    Unauthorized(): AuthenticationFailed,
    Forbidden(): ProviderPermissionDenied,
}


def always(shop, fault, *operations):
    """The fault strikes every request of these operations."""
    shop.fake.decide(lambda asked: fault if asked.operation in operations else None)


def nothing_can_be_read(shop, fault, operation):
    """The fault strikes the operation, and nobody answers questions."""

    def decide(asked):
        if asked.operation == operation:
            return fault
        return None if asked.operation == "account" else LostRequest()

    shop.fake.decide(decide)


def check_unknown(shop, doing, error):
    """The error carries what is unknown, and the store says the same."""
    told = shop.pay.payments.get(reference="order_1")
    row = doing.row(shop)
    assert error.money_may_have_moved
    assert error.retryable
    assert (error.idempotency_key, error.provider) == (row.key, "fake")
    assert row.state in {"unknown", "needs_review"}
    assert row.lease_owner is None
    if doing.operation == "create_refund":
        assert error.refund.status == "unknown"
        assert shop.pay.refunds.get(error.refund.id).status == "unknown"
        assert told.refund_pending == usd(1000)
    else:
        assert error.payment.status == told.status == "unknown"
        assert told.unresolved == (row.key,)
    assert told.in_flight == ()


@blocking(*BEHAVIOURS)
@each_operation
@pytest.mark.parametrize("fault", DOUBTFUL, ids=repr)
def test_a_doubtful_answer_is_neither_failure_nor_success(shop, doing, fault):
    check_doubtful(shop, doing, fault)


@each_operation
@pytest.mark.parametrize("fault", DOUBTFUL[:2], ids=repr)
def test_doubt_is_the_same_in_both_colours_and_on_both_stores(shop, doing, fault):
    check_doubtful(shop, doing, fault)


def check_doubtful(shop, doing, fault):
    there = doing.begin(shop)
    nothing_can_be_read(shop, fault, doing.operation)

    told = OperationInProgress if isinstance(fault, Conflict) else OutcomeUnknown
    with pytest.raises(told) as raised:
        doing.call(shop, there)
    assert raised.value.money_may_have_moved
    if told is OutcomeUnknown:
        check_unknown(shop, doing, raised.value)
    assert doing.effects(shop) <= 1
    effects = doing.effects(shop)

    shop.fake.script.clear()
    keyless = shop.kind.behaviour == "keyless"
    remembered = shop.kind.behaviour == "stripe_like" and isinstance(fault, ServerError)
    if effects or not (keyless or remembered):
        doing.call(shop, there, shop.another())
        doing.check_done(shop)
    else:
        # Without keys nothing is sent again, and a server error that is remembered proves nothing.
        with pytest.raises(OutcomeUnknown) as again:
            doing.call(shop, there, shop.another())
        check_unknown(shop, doing, again.value)
        assert doing.effects(shop) == 0


@blocking(*BEHAVIOURS)
@each_operation
@pytest.mark.parametrize(
    "fault", [LostResponse(), TimedOut(), ServerError(), Truncated()], ids=repr
)
def test_what_was_executed_is_found_out_within_the_call_where_that_is_possible(shop, doing, fault):
    there = doing.begin(shop)
    always(shop, fault, doing.operation)
    if shop.kind.behaviour == "adyen_like" or (
        # Two time-outs leave no time for anything else, where the request may be sent again.
        shop.kind.behaviour == "stripe_like" and isinstance(fault, TimedOut)
    ):
        with pytest.raises(OutcomeUnknown):
            doing.call(shop, there)
    else:
        doing.call(shop, there)
        doing.check_done(shop)
    assert doing.effects(shop) == 1


@blocking("stripe_like", "adyen_like")
@each_operation
@pytest.mark.parametrize("fault", DOUBTFUL[:4], ids=repr)
def test_a_doubtful_answer_is_followed_by_the_same_request_again(shop, doing, fault):
    there = doing.begin(shop)
    shop.fake.next(doing.operation, fault)
    doing.call(shop, there)
    assert shop.bank.requests(doing.row(shop).key) >= 1
    doing.check_done(shop)


@blocking(*BEHAVIOURS)
@each_operation
@pytest.mark.parametrize("fault", PROVEN, ids=repr)
def test_proven_failure_is_told_as_what_it_is_and_may_be_repeated(shop, doing, fault):
    there = doing.begin(shop)
    before = shop.pay.payments.get(there.id) if there is not None else None
    always(shop, fault, doing.operation)

    with pytest.raises(PROVEN[fault]) as raised:
        doing.call(shop, there)
    assert not raised.value.money_may_have_moved
    row = doing.row(shop)
    assert (row.state, row.first_sent_at, row.lease_owner) == ("no_effect", None, None)
    assert doing.effects(shop) == 0
    after = shop.pay.payments.get(reference="order_1")
    assert (after.in_flight, after.unresolved) == ((), ())
    if before is not None:
        assert (after.status, after.refundable) == (before.status, before.refundable)
        assert after.capturable == before.capturable
    if isinstance(raised.value, RateLimited):
        assert raised.value.retry_after == fault.retry_after

    shop.fake.script.clear()
    doing.call(shop, there, shop.another())
    doing.check_done(shop)


@blocking(*BEHAVIOURS)
@each_operation
@pytest.mark.parametrize(
    "second", [ConnectionRefused(), Unauthorized(), TooMany(), Forbidden(), Unavailable()], ids=repr
)
def test_a_later_proven_failure_takes_no_earlier_doubt_away(shop, doing, second):
    there = doing.begin(shop)
    faults = iter([LostRequest()])
    nothing_can_be_read(shop, second, doing.operation)
    deciding = shop.fake.script._decide
    shop.fake.decide(
        lambda asked: (
            next(faults, second) if asked.operation == doing.operation else deciding(asked)
        )
    )
    with pytest.raises(OutcomeUnknown) as raised:
        doing.call(shop, there)
    check_unknown(shop, doing, raised.value)

    # Another process gets nothing but the proven failure, and is not misled either.
    broken = shop.provider()
    broken.decide(lambda asked: None if asked.operation == "account" else second)
    with pytest.raises(OutcomeUnknown) as again:
        doing.call(shop, there, shop.client(broken))
    check_unknown(shop, doing, again.value)
    assert doing.effects(shop) == 0


@blocking(*BEHAVIOURS)
@each_operation
def test_a_dead_senders_doubt_is_that_of_whoever_takes_over(shop, doing):
    there = doing.begin(shop)
    doomed = shop.provider()
    doomed.next(doing.operation, CrashAfter())
    with pytest.raises(Crash):
        doing.call(shop, there, shop.client(doomed))
    shop.clock.advance(12)

    broken = shop.provider()
    broken.decide(lambda asked: None if asked.operation == "account" else Unavailable())
    with pytest.raises(OutcomeUnknown) as raised:
        doing.call(shop, there, shop.client(broken))
    check_unknown(shop, doing, raised.value)
    doing.call(shop, there, shop.another())
    doing.check_done(shop)


@each_colour
@each_operation
def test_a_refused_request_after_a_doubtful_one_is_not_the_outcome(shop, doing):
    there = doing.begin(shop)
    nothing_can_be_read(shop, LostRequest(), doing.operation)
    with pytest.raises(OutcomeUnknown):
        doing.call(shop, there)
    shop.fake.script.clear()
    shop.fake.decide(
        lambda asked: (
            Garbled(body=b'{"error":{"code":"nonsense","message":"no"}}', status=400)
            if asked.operation == doing.operation
            else LostRequest()
        )
    )
    with pytest.raises(OutcomeUnknown):
        doing.call(shop, there)
    assert doing.row(shop).state == "unknown"


# -- the life of a key ----------------------------------------------------------------------------


def lost(shop, doing, fault):
    there = doing.begin(shop)
    nothing_can_be_read(shop, fault, doing.operation)
    with pytest.raises(OutcomeUnknown):
        doing.call(shop, there)
    shop.fake.script.clear()
    return there


@blocking(*BEHAVIOURS)
@each_operation
@pytest.mark.parametrize("fault", [LostRequest(), LostResponse()], ids=repr)
def test_past_the_keys_life_nothing_is_sent(shop, doing, fault):
    there = lost(shop, doing, fault)
    effects, sent = doing.effects(shop), shop.requests()
    # Just before its end a key is not relied on either.
    shop.clock.advance({"adyen_like": 7 * DAY - 300}.get(shop.kind.behaviour, DAY - 300))
    shop.fake.webhooks()  # whatever the bank had to tell was lost

    readable = shop.kind.behaviour != "adyen_like"
    if effects and readable:
        doing.call(shop, there)
        assert doing.row(shop).state == "confirmed"
    else:
        with pytest.raises(OutcomeUnknown):
            doing.call(shop, there)
    assert shop.requests() == sent
    assert doing.effects(shop) == effects


@each_behaviour
def test_what_nobody_can_tell_any_more_waits_for_a_person(shop):
    doing = CREATE
    there = lost(shop, doing, LostRequest())
    assert doing.row(shop).state == "unknown"
    shop.clock.advance(8 * DAY)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            doing.call(shop, there)
        assert doing.row(shop).state == "needs_review"
    assert shop.pay.payments.get(reference="order_1").status == "unknown"
    assert doing.effects(shop) == 0


@each_behaviour
def test_evidence_that_comes_later_concludes_what_waits_for_a_person(shop):
    doing = CREATE
    there = lost(shop, doing, LostResponse())
    late = shop.fake.webhooks()
    shop.clock.advance(8 * DAY)
    broken = shop.provider()
    broken.decide(lambda asked: None if asked.operation == "account" else LostRequest())
    with pytest.raises(OutcomeUnknown):
        doing.call(shop, there, shop.client(broken))
    assert doing.row(shop).state == "needs_review"

    shop.clock.step_back(8 * DAY)  # so that the signatures are young
    for request in late:
        shop.receive(request)
    shop.pay.webhooks.process_due()
    doing.check_done(shop)


@with_keys
def test_a_key_that_lives_is_used_by_another_process_with_the_same_bytes(shop):
    there = lost(shop, CREATE, LostRequest())
    shop.clock.advance(DAY - 3600)
    CREATE.call(shop, there, shop.another())
    CREATE.check_done(shop)


@blocking("stripe_like", "adyen_like")
@each_operation
@pytest.mark.parametrize("fault", [LostRequest(), LostResponse()], ids=repr)
def test_a_clock_that_steps_back_does_not_make_a_key_young(shop, doing, fault):
    there = lost(shop, doing, fault)
    sent = shop.requests()
    shop.clock.step_back(3600)
    try:
        doing.call(shop, there)
    except OutcomeUnknown:
        assert not (doing.effects(shop) and shop.kind.behaviour == "stripe_like")
    assert shop.requests() == sent


@with_keys
def test_clocks_may_differ_by_a_little(shop):
    there = lost(shop, CREATE, LostRequest())
    shop.clock.step_back(60)
    CREATE.call(shop, there)
    CREATE.check_done(shop)


# -- the exact request ----------------------------------------------------------------------------


def spied(provider):
    """Everything that the provider puts on the wire and that changes something."""
    sent, send = [], provider._send

    def spy(request, *, timeout):
        if request.mutates:
            sent.append(request.to_bytes())
        return send(request, timeout=timeout)

    provider._send = spy
    return sent


@blocking("stripe_like", "adyen_like")
@each_operation
def test_what_is_sent_again_is_what_was_written_down_byte_for_byte(shop, doing):
    there = doing.begin(shop)
    first = spied(shop.fake)
    shop.fake.next(doing.operation, LostRequest(), LostResponse())
    nothing_can_be_read(shop, LostRequest(), doing.operation)
    with pytest.raises(OutcomeUnknown):
        doing.call(shop, there)

    newer = shop.provider()
    original = getattr(newer.adapter, doing.operation)

    def otherwise(command, key):
        """As a later version may render the same command."""
        exchange = original(command, key)
        request = next(exchange)
        answer = yield replace(request, body=request.body.replace(b"{", b'{"v":2,', 1))
        try:
            exchange.send(answer)
        except StopIteration as done:
            return done.value

    setattr(newer.adapter, doing.operation, otherwise)
    second = spied(newer)
    doing.call(shop, there, shop.client(newer))

    assert len(first) > 1
    assert len(second) == 1
    assert set(first) == set(second) == {doing.row(shop).request}
    doing.check_done(shop)


def unstorable(shop):
    """A provider whose requests hold what must never be stored."""
    provider = shop.provider()
    render = provider.render
    provider.render = lambda command, key: replace(render(command, key), storable=False)
    return provider


@blocking(*BEHAVIOURS)
@each_operation
def test_what_must_not_be_stored_is_not_and_is_not_sent_from_the_journal(shop, doing):
    there = doing.begin(shop)
    provider = unstorable(shop)
    pay = shop.client(provider)
    provider.decide(lambda asked: LostRequest() if asked.operation != "account" else None)
    with pytest.raises(OutcomeUnknown):
        doing.call(shop, there, pay)
    row = doing.row(shop)
    assert row.request is None
    assert VISA.encode() not in row.command
    sent = shop.requests()

    provider.script.clear()
    with pytest.raises(OutcomeUnknown):
        doing.call(shop, there, pay)
    assert shop.requests() == sent
    assert doing.effects(shop) == 0


@blocking("stripe_like", "keyless")
@each_operation
def test_what_could_not_be_stored_is_still_looked_for(shop, doing):
    there = doing.begin(shop)
    provider = unstorable(shop)
    provider.decide(
        lambda asked: (
            None
            if asked.operation == "account"
            else LostResponse()
            if asked.operation == doing.operation
            else LostRequest()
        )
    )
    with pytest.raises(OutcomeUnknown):
        doing.call(shop, there, shop.client(provider))
    sent = shop.requests()

    doing.call(shop, there, shop.another())
    assert shop.requests() == sent
    doing.check_done(shop)


@blocking(*BEHAVIOURS)
@each_operation
def test_what_could_not_be_stored_is_said_again_after_proven_failure(shop, doing):
    there = doing.begin(shop)
    provider = unstorable(shop)
    pay = shop.client(provider)
    provider.decide(lambda asked: Unavailable() if asked.operation == doing.operation else None)
    with pytest.raises(ProviderUnavailable):
        doing.call(shop, there, pay)

    provider.script.clear()
    doing.call(shop, there, pay)
    doing.check_done(shop)


# -- adapters with faults of their own ------------------------------------------------------------


@blocking(*BEHAVIOURS)
@each_operation
def test_an_adapter_that_breaks_after_the_send_has_proven_nothing(shop, doing):
    there = doing.begin(shop)
    provider = shop.provider()
    send = provider._send

    def breaks(request, *, timeout):
        answer = send(request, timeout=timeout)
        if request.operation == doing.operation:
            raise ZeroDivisionError
        return answer

    async def breaks_awaited(request, *, timeout):  # noqa: ASYNC109 - a sender's own
        answer = await send(request, timeout=timeout)
        if request.operation in {doing.operation, "find", "retrieve_payment"}:
            raise ZeroDivisionError
        return answer

    provider._send = breaks_awaited if shop.is_async else breaks
    provider.decide(
        lambda asked: LostRequest() if asked.operation in {"find", "retrieve_payment"} else None
    )
    with pytest.raises(OutcomeUnknown, match="ZeroDivisionError"):
        doing.call(shop, there, shop.client(provider))
    assert doing.effects(shop) == 1

    doing.call(shop, there)
    doing.check_done(shop)
