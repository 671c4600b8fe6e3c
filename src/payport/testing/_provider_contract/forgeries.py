# ruff: noqa: S101 - contract tests live on assert
"""Forgeries: whatever reaches a webhook's address, only what the bank signed just now is read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, cast

import pytest

from payport.domain.errors import ConfigurationError, WebhookRejected
from payport.domain.money import Money
from payport.providers.deliveries import Statement, WebhookRequest
from payport.providers.spec import Capability
from payport.testing._heard import Heard
from payport.testing._provider_contract.checks import Checks, each_of
from payport.testing._provider_contract.merchant import Merchant

__all__ = ["ForgeryChecks"]

_SECOND: Final = timedelta(seconds=1)
_OLD: Final = "whsec_of_last_year"
_NEW: Final = "whsec_of_this_year"
_THEIRS: Final = "whsec_of_somebody_else"
#: An amount that stands out in a body.
_STRIKING: Final = 770_077

#: Bodies that nobody would mistake for an envelope. Each is properly signed.
_BODIES: Final[Mapping[str, bytes]] = {
    "empty": b"",
    "cut": b'{"id": "1',
    "no UTF-8": b"\xff\xfe{}",
    "null": b"null",
    "a number": b"7",
    "not a number": b'{"id": NaN}',
    "a text": b'"paid"',
    "an empty list": b"[]",
    "an empty object": b"{}",
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"data":' * 100_000,
    "a number of many digits": b'{"id": 1' + b"0" * 10_000 + b"}",
    "half a character": b'{"type": "\\ud800", "id": "\\udfff"}',
    "two bodies": b"{}{}",
    "a page": b"<html></html>",
}
#: Texts in the place of a signature. None takes it out.
_SIGNATURES: Final[Mapping[str, str | None]] = {
    "missing": None,
    "empty": "",
    "blank": " ",
    "words": "signed, honestly",
    "without values": "t=,v1=",
    "not ASCII": "t=1767225600,v1=ünïcödé",
    "other digits": "t=١٧٦٧٢٢٥٦٠٠,v1=00",
    "a NUL": "t=1767225600\x00,v1=00",
    "separators": "," * 100_000,
    "endless": "v1=" + "0" * 1_000_000,
    "an endless time": "t=" + "9" * 100_000 + ",v1=00",
    "a negative time": "t=-1,v1=00",
    "no number": "t=nan,v1=00",
}
#: What may stand in the place of any value in a body.
_VALUES: Final[tuple[object, ...]] = (
    *(None, True, -1, 1.5, 10**30, "", "x", "\ud800", "../..", [None], {"ref": 7}),
    *(json.loads("[]"), json.loads("{}"), json.loads("[[]]")),
)


class ForgeryChecks(Checks):
    """Refusing what was not signed, or is nothing that could have been."""

    def genuine(self, merchant: Merchant) -> WebhookRequest:
        """A webhook that the bank sent just now."""
        self.needs(Capability.WEBHOOKS)
        merchant.send(merchant.sale(Money(_STRIKING, "USD")).creation())
        request = merchant.harness.webhooks()[0]
        assert _read(merchant, request), "what the bank signed is not accepted"
        return request

    def signed(self, merchant: Merchant) -> WebhookRequest:
        """The same, with its signature; the check is skipped where there are none."""
        self.needs_signatures(merchant)
        return self.genuine(merchant)

    @each_of("body", _BODIES)
    def test_a_signed_body_that_is_no_envelope_is_rejected(
        self, merchant: Merchant, body: bytes
    ) -> None:
        self.needs(Capability.WEBHOOKS)
        assert _read(merchant, merchant.harness.sign(body)) is None

    @each_of("text", _SIGNATURES)
    def test_a_signature_that_is_none_is_rejected(
        self, merchant: Merchant, text: str | None
    ) -> None:
        request = self.signed(merchant)
        assert _read(merchant, merchant.harness.forge(request, text)) is None

    def test_a_signature_of_another_secret_is_rejected(self, merchant: Merchant) -> None:
        request = self.signed(merchant)
        assert _read(merchant, merchant.harness.sign(request.body, secret=_THEIRS)) is None

    def test_a_signature_of_another_body_is_rejected(self, merchant: Merchant) -> None:
        request = self.signed(merchant)
        other = self.signed(merchant)
        signature = merchant.harness.signature(other)
        assert _read(merchant, merchant.harness.forge(request, signature)) is None

    def test_a_shortened_signature_is_rejected(self, merchant: Merchant) -> None:
        request = self.signed(merchant)
        signature = merchant.harness.signature(request)
        for kept in (len(signature) - 1, len(signature) // 2, 1):
            assert _read(merchant, merchant.harness.forge(request, signature[:kept])) is None

    def test_a_great_many_signatures_are_rejected(self, merchant: Merchant) -> None:
        request = self.signed(merchant)
        wrong = merchant.harness.sign(request.body, secret=_THEIRS)
        many = ",".join([merchant.harness.signature(wrong)] * 20_000)
        assert _read(merchant, merchant.harness.forge(request, many)) is None

    def test_a_changed_amount_is_rejected(self, merchant: Merchant) -> None:
        request = self.signed(merchant)
        told = str(_STRIKING).encode()
        assert told in request.body
        forged = request.body.replace(told, b"1" + told[1:])
        assert _read(merchant, _with_body(merchant, request, forged)) is None

    def test_a_changed_byte_is_rejected(self, merchant: Merchant) -> None:
        if not merchant.harness.signs_whole_body:
            pytest.skip("the provider signs some fields only")
        request = self.signed(merchant)
        for index in range(0, len(request.body), 3):
            changed = bytearray(request.body)
            changed[index] ^= 1
            assert _read(merchant, _with_body(merchant, request, bytes(changed))) is None
        for body in (request.body + b" ", request.body[:-1], b" " + request.body):
            assert _read(merchant, _with_body(merchant, request, body)) is None

    @pytest.mark.parametrize("direction", [-1, 1], ids=["past", "future"])
    def test_a_signature_counts_within_its_window_alone(
        self, merchant: Merchant, direction: int
    ) -> None:
        window = merchant.harness.replay_window
        if window is None:
            pytest.skip("the provider's webhooks do not say when they were signed")
        body, now = self.signed(merchant).body, merchant.clock.now()
        inside = merchant.harness.sign(body, at=now + direction * (window - 2 * _SECOND))
        outside = merchant.harness.sign(body, at=now + direction * (window + 2 * _SECOND))
        assert _read(merchant, inside)
        assert _read(merchant, outside) is None

    # -- secrets --------------------------------------------------------------------------------

    def test_a_secret_can_be_replaced(self, merchant: Merchant) -> None:
        body = self.signed(merchant).body
        changing = merchant.another(webhook_secrets=[_NEW, _OLD])
        for secret in (_OLD, _NEW):
            assert _read(changing, merchant.harness.sign(body, secret=secret))
        assert _read(changing, merchant.harness.sign(body, secret=_THEIRS)) is None
        changed = merchant.another(webhook_secrets=[_NEW])
        assert _read(changed, merchant.harness.sign(body, secret=_OLD)) is None

    def test_what_the_bank_signs_twice_is_accepted_by_either(self, merchant: Merchant) -> None:
        self.signed(merchant)
        if not merchant.harness.signs_with_all:
            pytest.skip("the provider signs with one secret at a time")
        merchant.bank.sign_with(_OLD, _NEW)
        merchant.send(merchant.sale().creation())
        (request, *_) = merchant.harness.webhooks()
        for secret in (_OLD, _NEW):
            assert _read(merchant.another(webhook_secrets=[secret]), request)

    def test_without_a_secret_nothing_is_accepted(self, merchant: Merchant) -> None:
        request = self.signed(merchant)
        for forged in (request, merchant.harness.forge(request, None)):
            with pytest.raises((ConfigurationError, WebhookRejected)):
                merchant.another(webhook_secrets=[]).reads(forged)

    # -- shapes ---------------------------------------------------------------------------------

    def test_a_signed_body_of_any_shape_is_read_or_rejected(self, merchant: Merchant) -> None:
        """Somebody who holds the secret, or a provider that changes its mind, breaks nothing."""
        body = json.loads(self.genuine(merchant).body)
        read = [
            _read(merchant, merchant.harness.sign(json.dumps(shape).encode()))
            for shape in _shapes(body)
        ]
        assert None in read, "no shape at all was rejected"

    def test_a_word_that_nobody_knows_is_never_guessed(self, merchant: Merchant) -> None:
        """Whatever word of a webhook changes, no state becomes another one than UNKNOWN."""
        request = self.genuine(merchant)
        body = json.loads(request.body)
        known = _states(merchant.reads(request)) | {"unknown"}
        for container, key in list(_places(body)):
            if isinstance(container[key], str):
                kept, container[key] = container[key], "unheard_of"
                told = _read(merchant, merchant.harness.sign(json.dumps(body).encode()))
                container[key] = kept
                assert _states(told or ()) <= known, f"a state was guessed from {key}"

    def test_a_batch_is_read_whole_or_not_at_all(self, merchant: Merchant) -> None:
        """What cannot be read is not acknowledged by being left out."""
        request = self.genuine(merchant)
        body = json.loads(request.body)
        batch = _batch(body, len(merchant.reads(request)))
        if batch is None:
            pytest.skip("the provider sends its statements one by one")
        for index in range(len(batch) + 1):
            batch.insert(index, {"nobody": "knows"})
            assert _read(merchant, merchant.harness.sign(json.dumps(body).encode())) is None
            del batch[index]


def _read(merchant: Merchant, request: WebhookRequest) -> Sequence[Heard] | None:
    """
    What is read, or None where it is rejected; anything else that is raised is a failure.

    What was accepted may turn out to be unreadable later: it then says nothing.
    """
    try:
        deliveries = merchant.parses(request)
    except WebhookRejected:
        return None
    try:
        return merchant.reads(request)
    except Exception:  # noqa: BLE001 - a worker keeps it for a person, whatever it is
        return [Heard(delivery, Statement()) for delivery in deliveries]


def _states(told: Iterable[Heard]) -> set[str]:
    return {fact.status for delivery in told for fact in delivery.facts or ()}


def _with_body(merchant: Merchant, request: WebhookRequest, body: bytes) -> WebhookRequest:
    """Another body under the signature of a request."""
    changed = WebhookRequest(body=body, headers={}, url=request.url)
    return merchant.harness.forge(changed, merchant.harness.signature(request))


def _batch(body: object, statements: int) -> list[object] | None:
    """The envelope's list of statements, if it is one of several."""
    if not isinstance(body, dict):
        return None
    values = cast("dict[str, object]", body).values()
    lists = (cast("list[object]", value) for value in values if isinstance(value, list))
    return next((one for one in lists if len(one) == statements), None)


def _places(value: object) -> Iterator[tuple[Any, Any]]:
    """Every container in a body with each of its keys or indexes."""
    if isinstance(value, dict | list):
        container = cast("Any", value)
        keys: list[Any] = list(container) if isinstance(value, dict) else [*range(len(container))]
        for key in keys:
            yield container, key
            yield from _places(container[key])


def _shapes(body: object) -> Iterator[object]:
    """The body with each value replaced by each of `_VALUES`, and with each left out."""
    for container, key in list(_places(body)):
        kept = container[key]
        for value in _VALUES:
            container[key] = value
            yield body
        container[key] = kept
        if isinstance(container, dict):
            del container[key]
            yield body
            container[key] = kept
