# ruff: noqa: S101 - contract tests live on assert
"""Sending: what is rendered is sent, what is stored is sent again, and the guard decides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from payport.domain.frozen import FrozenMapping
from payport.providers.commands import CreatePayment, Operation
from payport.providers.exchange import Request, SendRefused
from payport.providers.outcomes import Answer
from payport.testing._provider_contract.asking import Ask
from payport.testing._provider_contract.checks import Checks, each_operation
from payport.testing._provider_contract.merchant import Merchant

__all__ = ["SendingChecks"]


class SendingChecks(Checks):
    """The way from a command to the wire."""

    @each_operation
    def test_rendering_does_nothing_and_is_repeatable(
        self, merchant: Merchant, operation: Operation
    ) -> None:
        _, ask = self.ready(operation, merchant)
        before, entries = len(merchant.sent), merchant.bank.entries
        first = merchant.provider.render(ask.command, ask.key)
        merchant.clock.advance(3_600)
        for provider in (merchant.provider, merchant.another().provider):
            again = provider.render(ask.command, ask.key)
            assert again == first
            assert again.to_bytes() == first.to_bytes()
        assert len(merchant.sent) == before, "rendering sent something"
        assert merchant.bank.entries == entries
        assert merchant.bank.effects(ask.key) == 0

    @each_operation
    def test_what_is_rendered_is_what_is_sent(
        self, merchant: Merchant, operation: Operation
    ) -> None:
        sale, ask = self.ready(operation, merchant)
        rendered = merchant.provider.render(ask.command, ask.key)
        assert rendered.mutates
        assert rendered.operation == operation
        before = len(merchant.sent)
        sale.told(ask)
        _check_sent(merchant, before, rendered)

    @each_operation
    def test_a_rendered_request_survives_the_journal(
        self, merchant: Merchant, operation: Operation
    ) -> None:
        _, ask = self.ready(operation, merchant)
        rendered = merchant.provider.render(ask.command, ask.key)
        assert Request.from_bytes(rendered.to_bytes()) == rendered

    @each_operation
    def test_a_stored_request_is_sent_byte_for_byte(
        self, merchant: Merchant, operation: Operation
    ) -> None:
        sale, ask = self.ready(operation, merchant)
        rendered = merchant.provider.render(ask.command, ask.key)
        older = replace(
            rendered, headers=FrozenMapping({**rendered.headers, "x-older-version": "0.1"})
        )
        before = len(merchant.sent)
        assert isinstance(sale.send(ask, exact=Request.from_bytes(older.to_bytes())), Answer)
        _check_sent(merchant, before, older)

    def test_a_stored_request_is_not_rendered_anew(self, merchant: Merchant) -> None:
        sale, ask = self.ready(Operation.CREATE_PAYMENT, merchant)
        worded = _reworded(ask)
        stored = merchant.provider.render(worded.command, worded.key)
        assert stored.body != merchant.provider.render(ask.command, ask.key).body
        before = len(merchant.sent)
        assert isinstance(sale.send(ask, exact=stored), Answer)
        _check_sent(merchant, before, stored)

    @each_operation
    def test_the_guard_is_asked_before_each_write(
        self, merchant: Merchant, operation: Operation
    ) -> None:
        sale, ask = self.ready(operation, merchant)
        seen: list[int] = []
        before = len(merchant.sent)
        sale.send(ask, guard=lambda: seen.append(len(merchant.sent)))
        assert seen == list(range(before, len(merchant.sent)))

    @each_operation
    def test_what_the_guard_forbids_never_leaves(
        self, merchant: Merchant, operation: Operation
    ) -> None:
        sale, ask = self.ready(operation, merchant)
        before = len(merchant.sent)

        def refuse() -> None:
            raise SendRefused

        with pytest.raises(SendRefused):
            sale.send(ask, guard=refuse)
        assert len(merchant.sent) == before
        assert merchant.bank.effects(ask.key) == 0


def _reworded(ask: Ask) -> Ask:
    """The same payment, described as an older version would."""
    command = ask.command
    assert isinstance(command, CreatePayment)
    terms = replace(command.terms, description="as it was described before")
    return replace(ask, command=replace(command, terms=terms))


def _check_sent(merchant: Merchant, index: int, request: Request) -> None:
    sent = merchant.sent[index]
    assert (sent.method, sent.target) == (request.method, request.target)
    assert sent.body == request.body
    for name, value in request.headers.items():
        assert sent.headers.get(name.lower()) == value, f"the header {name} was not sent"
