"""
`payport doctor`: whether what payport needs is there and well. Reads the provider's account once,
and tries to write to the store; changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from payport.cli.exits import ExitCode
from payport.cli.line import Line
from payport.cli.webhooks import waits_for_a_person
from payport.domain.errors import ConfigurationError, PayportError, WebhookRejected
from payport.operations.records import OperationState
from payport.providers.breaker import BreakerState

if TYPE_CHECKING:
    from payport.cli.client import Client, Target
    from payport.client.listing import Page
    from payport.operations.records import OperationRecord
    from payport.providers.outcomes import Account, Failure
    from payport.providers.plugins import Credential
    from payport.webhooks.keeping import InboxStats

__all__ = ["Check", "doctor"]

#: Ages of keys and of signatures are told by the clock; both bear minutes, and clocks drift on.
_SKEW: Final = timedelta(seconds=30)
#: An operation that is due for so long has nobody who recovers it.
_OVERDUE: Final = timedelta(minutes=10)
#: Counting stops here.
_MOST: Final = 1000
_TIMEOUT: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """
    What one look told.

    Attributes:
        ok: None where it was left out.
        problem: What to do, where it is not well.
    """

    name: str
    said: str
    ok: bool | None = True
    problem: str | None = None


def doctor(
    line: Line,
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not ask the provider for its account.")
    ] = False,
) -> ExitCode:
    """
    Check keys, modes, secrets, the clock, the store, and what waits for somebody.

    Repeats nothing of any key or secret.
    """
    from payport.cli.client import Target, opened

    target = Target(**line.said)
    checks: list[Check] = []
    with ExitStack() as stack:
        try:
            client = stack.enter_context(opened(target))
        except PayportError as error:
            checks += _credentials(target, None)
            checks.append(_verdict("client", "cannot be made", str(error)))
        else:
            checks += _credentials(target, client)
            checks += _looks(client, offline=offline)
    checks.append(_adapters())
    _shown(line, checks)
    return ExitCode.OK if all(one.ok is not False for one in checks) else ExitCode.ATTENTION


def _shown(line: Line, checks: list[Check]) -> None:
    if line.out.as_json:
        rows = [
            {"name": one.name, "ok": one.ok, "said": one.said, "problem": one.problem}
            for one in checks
        ]
        line.out.document({"ok": all(one.ok is not False for one in checks), "checks": rows})
        return
    words = {True: "yes", False: "NO", None: "-"}
    line.out.table(
        ("check", "ok", "found", "what to do"),
        [(one.name, words[one.ok], one.said, one.problem) for one in checks],
    )


def _adapters() -> Check:
    """Whether every package that offers an adapter offers one that can be used."""
    from payport.providers.plugins import plugins

    found, broken = plugins()
    why = "; ".join(f"{one.name} of {one.package or 'a package'}: {one.why}" for one in broken)
    return _verdict("adapters", ", ".join(found) or "none", why or None)


# -- keys and secrets -----------------------------------------------------------------------------


def _credentials(target: Target, client: Client | None) -> Iterator[Check]:
    """What the environment holds, and whether it goes together with the client."""
    from payport.providers.plugins import plugin_named

    names = list(client.pay.providers) if client is not None else [target.provider]
    found: list[Credential] = []
    known = False
    for name in names:
        if name is None:
            continue  # which `client` will tell of
        # Others are the application's own adapters, or what `client` will tell of.
        with suppress(ConfigurationError):
            found += plugin_named(name).credentials(os.environ)
            known = True
    if not known:
        return
    by_app = target.named_app is not None
    for one in found:
        # An application may have its keys from anywhere; what is there has to be right anyhow.
        if not (by_app and one.kind is None):
            yield _credential(one)
    modes = {str(one.environment) for one in found if one.environment is not None}
    if client is not None:
        modes.add(str(client.pay.environment))
    yield _verdict(
        "modes",
        " and ".join(sorted(modes)) or "unknown",
        "test and live are mixed: take all keys from one mode" if len(modes) > 1 else None,
    )


def _credential(one: Credential) -> Check:
    said = one.kind or "nothing"
    if one.environment is not None:
        said = f"{said}, {one.environment} mode"
    return _verdict(one.name, said, one.problem)


# -- the client -----------------------------------------------------------------------------------


def _looks(client: Client, *, offline: bool) -> Iterator[Check]:
    pay = client.pay
    names = " and ".join(pay.providers)
    yield Check(name="client", said=f"{names}, {pay.environment}, {pay.scope!r}")
    for name in pay.providers:
        of = f"{name}: " if len(pay.providers) > 1 else ""
        looks = (_webhook_secrets(client, name), *_account(client, name, offline=offline))
        for one in looks:
            yield replace(one, name=f"{of}{one.name}")
    yield from _router(client)
    try:
        ready = yield from _store(client)
        if ready:
            yield from _waiting(client)
    except PayportError as error:
        yield _verdict("store", "cannot be used", str(error))


def _router(client: Client) -> Iterator[Check]:
    """What a router does with new payments."""
    from payport.providers.routing import AsyncRouter, Router

    router = client.pay.provider
    if isinstance(router, Router | AsyncRouter):
        only = ", ".join(router.finish_only)
        said = f"{len(router.rules)} rules" + (f"; only finishing: {only}" if only else "")
        yield Check(name="router", said=said)


def _webhook_secrets(client: Client, name: str) -> Check:
    """Whether webhooks could be believed: found out by showing the adapter one that cannot be."""
    from payport.providers.deliveries import ReceivesWebhooks, WebhookRequest
    from payport.providers.spec import Capability

    provider: object = client.pay.providers[name]
    spec = client.pay.providers[name].spec
    told = spec.has(Capability.WEBHOOKS)
    if not told or not isinstance(provider, ReceivesWebhooks):
        return Check(name="webhook secret", said=f"{name} sends none", ok=None)
    if not spec.signs_webhooks:
        said = "needs none: a webhook is a hint to read what it names"
        return Check(name="webhook secret", said=said, ok=None)
    try:
        provider.parse_webhook(WebhookRequest(body=b"{}", headers={}), now=datetime.now(UTC))
    except ConfigurationError as error:
        return _verdict("webhook secret", "the client has none", error.message)
    except WebhookRejected:
        return Check(
            name="webhook secret", said="the client has one; an unsigned webhook is refused"
        )
    problem = "an unsigned webhook was believed: the adapter verifies nothing"
    return _verdict("webhook secret", "not checked", problem)


def _account(client: Client, name: str, *, offline: bool) -> Iterator[Check]:
    from payport.providers.exchange import Call
    from payport.providers.outcomes import Failure

    if offline:
        yield Check(name="account", said="not asked: --offline", ok=None)
        return
    breaker = client.pay.breakers[name]
    permit = breaker.enter()
    if isinstance(permit, Failure):
        yield _verdict("breaker", str(breaker.state), permit.message)
        return
    asked_at = datetime.now(UTC)
    told: Account | Failure = client.do(
        lambda pay: pay.providers[name].account(Call(timeout=_TIMEOUT))
    )
    permit.leave(told)
    if isinstance(told, Failure):
        yield _verdict("account", told.kind.value, told.message)
    else:
        yield Check(name="account", said=f"{told.id} at {told.endpoint}")
    yield _clock(told.provider_time, asked_at, datetime.now(UTC))
    state = breaker.state
    closed = state is BreakerState.CLOSED
    problem = None if closed else "nothing is sent by this process until its cause is mended"
    yield _verdict("breaker", str(state), problem)


def _clock(told: datetime | None, before: datetime, after: datetime) -> Check:
    if told is None:
        return Check(name="clock", said="the provider told no time", ok=None)
    # A second is what the provider's header is precise to.
    ahead, behind = before - told - timedelta(seconds=1), told - after
    off = max(ahead, behind, timedelta())
    said = f"{off.total_seconds():.0f} s off the provider's"
    return _verdict("clock", said, "set this machine's clock, by NTP" if off > _SKEW else None)


# -- the store ------------------------------------------------------------------------------------


def _store(client: Client) -> Generator[Check, None, bool]:
    from payport.cli.database import checkup_of, of_client
    from payport.storage.checkup import Undone, try_writing

    checkup = checkup_of(of_client(client))
    for one in checkup.findings:
        yield _verdict(one.name, one.said, one.problem)
    if not checkup.ready:
        return False
    try:
        client.transact(try_writing)
    except Undone:
        yield Check(name="writing", said="a row was written and taken back")
    return True


def _waiting(client: Client) -> Iterator[Check]:
    review = _many(client, OperationState.NEEDS_REVIEW)
    problem = "payport operations list --state needs_review" if review else None
    yield _verdict("to review", _counted(review), problem)
    yield Check(name="unknown outcomes", said=_counted(_many(client, OperationState.UNKNOWN)))
    pay, now = client.pay, datetime.now(UTC)
    due = [one for name in pay.providers for one in _due(client, name, now)]
    late = [one for one in due if one.next_look_at and one.next_look_at < now - _OVERDUE]
    problem = "nobody recovers: run payport operations recover --loop 30" if late else None
    yield _verdict("due operations", _counted(len(due)), problem)
    stats: InboxStats = client.do(lambda pay: pay.webhooks.stats())
    yield _elsewhere(client)
    yield _told_elsewhere(stats)
    dead = waits_for_a_person(stats)
    problem = "payport webhooks dead" if dead else None
    yield _verdict("dead letters", str(dead), problem)


def _due(client: Client, name: str, now: datetime) -> list[OperationRecord]:
    pay = client.pay
    found: list[OperationRecord] = client.transact(
        lambda tx: tx.due_operations(
            environment=pay.environment, provider=name, scope=pay.scope, now=now, limit=_MOST
        )
    )
    return found


def _elsewhere(client: Client) -> Check:
    """Operations of providers that the client has not: nobody here can conclude them."""
    from payport.operations.recovery import waiting_elsewhere

    pay = client.pay
    waiting: Mapping[str, int] = client.transact(
        lambda tx: waiting_elsewhere(
            tx,
            names=pay.providers,
            scope=pay.scope,
            environment=pay.environment,
            now=datetime.now(UTC),
        )
    )
    said = ", ".join(f"{_counted(count)} for {name}" for name, count in waiting.items())
    names = " and ".join(waiting)
    problem = f"add {names} to the router again, without rules, until it has finished"
    return _verdict("waiting elsewhere", said or "none", problem if waiting else None)


def _told_elsewhere(stats: InboxStats) -> Check:
    """What providers told that the client has not, and what handlers have yet to hear of it."""
    said = ", ".join(f"{count} for {name}" for name, count in stats.elsewhere.items())
    names = " and ".join(stats.elsewhere)
    problem = f"add {names} to the router again, without rules, until a worker is through"
    return _verdict("webhooks elsewhere", said or "none", problem if said else None)


def _many(client: Client, state: OperationState) -> int:
    page: Page[OperationRecord] = client.do(
        lambda pay: pay.operations.list(state=state).page(limit=_MOST)
    )
    return len(page.items)


def _counted(count: int) -> str:
    return f"{count} or more" if count >= _MOST else str(count)


def _verdict(name: str, said: str, problem: str | None) -> Check:
    return Check(name=name, said=said, ok=problem is None, problem=problem)
