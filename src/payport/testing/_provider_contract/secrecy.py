# ruff: noqa: S101 - contract tests live on assert
"""Secrecy: keys, signing secrets and client tokens are in no text, dump or log that leaves."""

from __future__ import annotations

import base64
import logging
import pickle
import traceback
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from payport.domain.actions import ClientToken, Redirect
from payport.domain.errors import PayportError
from payport.providers.commands import Operation
from payport.providers.exchange import Call
from payport.providers.outcomes import Answer, Failure
from payport.providers.spec import Capability
from payport.testing._provider_contract.asking import Ask
from payport.testing._provider_contract.checks import Checks, each_operation
from payport.testing._provider_contract.merchant import Merchant
from payport.testing.faults import (
    ConnectionRefused,
    Fault,
    Garbled,
    LostResponse,
    ServerError,
    Unauthorized,
)
from payport.testing.tokens import Tokens

__all__ = ["SecrecyChecks"]

_KEY: Final = "canary_key_0a1b2c3d4e5f"  # obviously nobody's
_SIGNING: Final = "canary_signing_secret_9f8e7d6c"
_FAULTS: Final[tuple[Fault, ...]] = (
    *(Unauthorized(), ServerError(effect=False), LostResponse(), ConnectionRefused(), Garbled()),
)


class SecrecyChecks(Checks):
    """Canaries, looked for wherever somebody might print, store or send something."""

    def canary(self, merchant: Merchant) -> Merchant:
        """The merchant with credentials that are looked for."""
        merchant.bank.sign_with(_SIGNING)
        return merchant.another(api_key=_KEY, webhook_secrets=[_SIGNING])

    def test_a_provider_shows_no_secret(self, merchant: Merchant) -> None:
        subject = self.canary(merchant).subject
        for shown in (repr(subject), str(subject), f"{subject}", repr(_attributes(subject))):
            _check_silent(shown)

    def test_a_provider_is_not_pickled(self, merchant: Merchant) -> None:
        subject = self.canary(merchant).subject
        try:
            dumped = pickle.dumps(subject)
        except (PayportError, TypeError, pickle.PicklingError) as error:
            _check_silent(str(error))
        else:
            _check_silent(dumped)

    def test_rendered_requests_hold_no_credentials(self, merchant: Merchant) -> None:
        watched = self.canary(merchant)
        for operation in Operation:
            for ask in self._asks(operation, watched):
                request = watched.provider.render(ask.command, ask.key)
                _check_silent(request.to_bytes())
                _check_silent(request.body)
                _check_silent(repr(dict(request.headers)) + repr(request))

    @each_operation
    def test_outcomes_show_and_keep_no_secret(
        self, merchant: Merchant, operation: Operation
    ) -> None:
        watched = self.canary(merchant)
        for fault in (None, *_FAULTS):
            sale, ask = self.ready(operation, watched)
            watched.script.next(operation, fault)
            outcome = sale.send(ask)
            _check_silent(repr(outcome))
            if isinstance(outcome, Failure):
                _check_silent(f"{outcome.message} {outcome.code} {outcome.cause!r}")
            else:
                _check_silent(pickle.dumps(outcome))

    def test_a_failure_names_no_payment_method(self, merchant: Merchant) -> None:
        watched = self.canary(merchant)
        for fault in _FAULTS:
            sale = watched.sale()
            watched.script.next("create_payment", fault)
            outcome = sale.send(sale.creation())
            assert isinstance(outcome, Failure)
            assert watched.token(Tokens.OK) not in f"{outcome!r} {outcome.cause!r}"

    def test_causes_show_no_secret_in_their_tracebacks(self, merchant: Merchant) -> None:
        watched = self.canary(merchant)
        for fault in _FAULTS:
            sale = watched.sale()
            watched.script.next("create_payment", fault)
            outcome = sale.send(sale.creation())
            if isinstance(outcome, Failure) and outcome.cause is not None:
                _check_silent(_traceback(outcome.cause))

    def test_rejected_webhooks_show_no_secret_in_their_tracebacks(self, merchant: Merchant) -> None:
        self.needs(Capability.WEBHOOKS)
        watched = self.canary(merchant)
        bodies = (b"{}", b"null", b"\xff", b'{"type": 1}')
        forged = watched.harness.forge(watched.harness.sign(b"{}"), "t=1,v1=00")
        signed = [watched.harness.sign(body, secret=_SIGNING) for body in bodies]
        for request in (forged, *signed):
            try:
                watched.parses(request)
            except PayportError as error:
                _check_silent(_traceback(error))
            else:
                raise AssertionError("a webhook that is none was accepted")

    def test_logs_at_debug_show_no_secret(self, merchant: Merchant) -> None:
        with _everything_logged() as records:
            watched = self.canary(merchant)
            watched.provider.account(Call())
            sale = watched.sale()
            sale.send(sale.creation(watched.challenge))
            for fault in _FAULTS:
                watched.script.next("create_payment", fault)
                other = watched.sale()
                other.send(other.creation())
            watched.provider.close()
        shown = "\n".join(f"{r.getMessage()} {r.args!r} {r.__dict__!r}" for r in records)
        _check_silent(shown)
        assert _token_of(sale.intent.next_action) not in shown

    # -- what the customer needs ----------------------------------------------------------------

    def test_client_tokens_are_carried_and_never_shown_or_kept(self, merchant: Merchant) -> None:
        for token in (merchant.challenge, Tokens.AUTHENTICATE):
            sale = merchant.sale()
            outcome = sale.send(sale.creation(token))
            assert isinstance(outcome, Answer)
            hidden = _token_of(sale.intent.next_action)
            _check_silent(f"{outcome!r} {sale.intent!r}", hidden)
            _check_silent(pickle.dumps((outcome, sale.intent)), hidden)

    def test_deliveries_show_and_keep_no_client_token(self, merchant: Merchant) -> None:
        self.needs(Capability.WEBHOOKS)
        sale = merchant.sale()
        sale.told(sale.creation(merchant.challenge))
        hidden = _token_of(sale.intent.next_action)
        for delivery in sale.hear():
            _check_silent(repr(delivery), hidden)
            _check_silent(pickle.dumps(delivery), hidden)

    def _asks(self, operation: Operation, merchant: Merchant) -> Iterator[Ask]:
        lacked = self.lacks.keys()
        if operation in _NEEDS and _NEEDS[operation] & lacked:
            return
        yield self.ready(operation, merchant)[1]


_NEEDS: Final[dict[Operation, frozenset[Capability]]] = {
    Operation.CAPTURE_PAYMENT: frozenset({Capability.MANUAL_CAPTURE}),
    Operation.CANCEL_PAYMENT: frozenset({Capability.MANUAL_CAPTURE, Capability.CANCEL}),
    Operation.CREATE_REFUND: frozenset({Capability.REFUND}),
}


def _token_of(action: object) -> str:
    token = action.token if isinstance(action, ClientToken) else None
    if isinstance(action, Redirect):
        token = action.url
    assert token, "the customer is told nothing to authenticate with"
    return token


def _check_silent(shown: str | bytes, *hidden: str) -> None:
    """No canary in a text or dump, neither as it is nor in base64."""
    content = shown.encode(errors="replace") if isinstance(shown, str) else shown
    for secret in hidden or (_KEY, _SIGNING):
        plain = secret.encode()
        assert plain not in content, "a secret is shown"
        assert base64.b64encode(plain).rstrip(b"=")[:-1] not in content, "a secret is shown"


def _attributes(value: object, depth: int = 4) -> object:
    """What a debugger would list: attributes, in slots too, and theirs."""
    slots = {slot for kind in type(value).__mro__ for slot in getattr(kind, "__slots__", ())}
    names = {*getattr(value, "__dict__", ()), *slots} if depth else set[str]()
    if not names:
        return repr(value)
    return {name: _attributes(getattr(value, name, None), depth - 1) for name in names}


def _traceback(error: BaseException) -> str:
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(shown.format())


@contextmanager
def _everything_logged() -> Generator[list[logging.LogRecord]]:
    """All records of all loggers, at any level."""
    records: list[logging.LogRecord] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    root, keeping = logging.getLogger(), Keeping(logging.NOTSET)
    level, levels = root.level, _levels()
    root.addHandler(keeping)
    root.setLevel(logging.DEBUG)
    for logger in levels:
        logger.setLevel(logging.DEBUG)
    try:
        yield records
    finally:
        root.removeHandler(keeping)
        root.setLevel(level)
        for logger, before in levels.items():
            logger.setLevel(before)


def _levels() -> dict[logging.Logger, int]:
    known: Iterable[Any] = list(logging.root.manager.loggerDict.values())
    return {logger: logger.level for logger in known if isinstance(logger, logging.Logger)}
