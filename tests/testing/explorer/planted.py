"""
Bugs that real journals have had, planted one at a time: the explorer has to find each of them.

Each function puts one into payport by pytest's monkeypatch. None of them is there by accident.
"""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from payport.domain.outcomes import FailureKind
from payport.operations import concluding, preparing, recovery, session
from payport.operations.claiming import Claiming
from payport.operations.concluding import Concluding
from payport.operations.leases import Leases
from payport.operations.preparing import Preparing
from payport.operations.records import OperationState
from payport.operations.resolving import Resolving
from payport.providers.outcomes import Failure
from payport.storage.memory import MemoryStore, MemoryTransaction
from payport.testing.explorer.world import World


def fencing_is_not_checked(patch):
    """Whoever wakes late concludes what another one is sending by now."""
    whole = Concluding.conclude

    def conclude(self, tx, claimed, outcome, **how):
        if how.get("known") is None:
            claimed = replace(claimed, fencing=tx.operation(claimed.id).fencing)
        return whole(self, tx, claimed, outcome, **how)

    patch.setattr(Concluding, "conclude", conclude)


def leases_are_renewed_by_anybody(patch):
    """Whoever wakes late lengthens a lease that is another one's by now."""
    whole = Leases.renew

    def renew(self, tx, claimed):
        return whole(self, tx, tx.operation(claimed.id))

    patch.setattr(Leases, "renew", renew)


def sent_is_written_after_the_send(patch):
    """The row says that it was sent only once the answer is there."""
    whole = Claiming.claim

    class Forgetful:
        def __init__(self, tx):
            self._tx = tx

        def save_operation(self, record):
            """Later."""

        def swap_operation(self, old, new):
            """Later."""

        def __getattr__(self, name):
            return getattr(self._tx, name)

    def claim(self, tx, *arguments, **how):
        return whole(self, Forgetful(tx), *arguments, **how)

    def standing(self, owner, now, *, is_sent, at_once):
        del at_once
        return stands(self, owner, now, is_sent=is_sent, at_once=False)

    stands = Preparing._standing
    patch.setattr(Claiming, "claim", claim)
    patch.setattr(Preparing, "_standing", standing)


def key_life_is_ignored(patch):
    """A key that the provider forgot is used as if it were known."""
    patch.setattr(Resolving, "_key_lives", lambda self, record: self._spec.idempotency.has_keys)


def send_before_is_ignored(patch):
    """A customer is charged hours after they left."""
    patch.setattr(
        Resolving,
        "_may_replay",
        lambda self, record: record.request is not None and self._key_lives(record),
    )


def account_is_ignored(patch):
    """Whoever finds an operation goes on with it, at whatever account they are."""
    patch.setattr(Claiming, "_check_account", lambda *_: None)
    patch.setattr(recovery, "_is_at", lambda *_: True)
    for module in (preparing, session):
        patch.setattr(module, "check_home", lambda *_: None)


def doubt_is_forgotten(patch):
    """The last failure decides, whatever may have happened before it."""
    patch.setattr(concluding, "combine", lambda earlier, latest: latest)


def recovery_sends_what_never_was(patch):
    """What was only prepared is taken for what was sent."""
    whole = recovery.locked_operation

    def locked(tx, operation_id):
        record = whole(tx, operation_id)
        if record.state is not OperationState.PREPARED:
            return record
        return replace(record, state=OperationState.SENT, first_sent_at=record.prepared_at)

    patch.setattr(recovery, "locked_operation", locked)


def absence_is_proof(patch):
    """What is not found was not done."""
    found, resolved, failed = Resolving._found, Resolving.resolved, Concluding._failed
    absent = Failure(kind=FailureKind.UNAVAILABLE, message="there is no such thing")

    def look(self, turn, message):
        outcome = yield from found(self, turn, message)
        if isinstance(outcome, Failure) and outcome.kind is FailureKind.NOT_FOUND:
            turn.record = replace(turn.record, failure_message=absent.message)
        return outcome

    def resolve(self, turn, doubt):
        outcome, review = yield from resolved(self, turn, doubt)
        if isinstance(outcome, Failure) and turn.record.failure_message == absent.message:
            return absent, False
        return outcome, review

    def fail(self, record, intent, failure, now, *, review):
        certain = replace(record, doubtful=record.doubtful and failure is not absent)
        return failed(self, certain, intent, failure, now, review=review)

    patch.setattr(Resolving, "_found", look)
    patch.setattr(Resolving, "resolved", resolve)
    patch.setattr(Concluding, "_failed", fail)


def webhooks_settle_nothing(patch):
    """What a webhook concludes stays spoken for."""
    patch.setattr(concluding, "settled", lambda intent, record: intent)


class ForgetfulStore(MemoryStore):
    """A store on a disk that says it wrote, and has not yet."""

    last: Any = None

    def transact(self, work):
        with self._turn:
            transaction = MemoryTransaction(self._data)
            try:
                result = work(transaction)
                transaction.check()
            except BaseException:
                transaction.undo()
                raise
            if transaction._undo:
                self.last = transaction
            return result

    def lose(self):
        """The machine lost its power."""
        if self.last is not None:
            self.last.undo()
            self.last = None


@contextmanager
def forgetful():
    store = ForgetfulStore()
    yield lambda: store


def last_commit_is_lost(patch):
    """A process that dies takes its last commit with it."""
    whole = World.crash

    def crash(self, process):
        whole(self, process)
        self.store.lose()

    patch.setattr(World, "crash", crash)


@dataclass(frozen=True)
class Bug:
    """
    A planted bug.

    Attributes:
        within: So many seeds at most, until it is found.
        says: A part of what the explorer says about it.
    """

    plant: Callable[[Any], None]
    says: str
    profile: str = "stripe_like"
    within: int = 60
    store: Any = "memory"

    def __str__(self) -> str:
        return self.plant.__name__


BUGS = [
    Bug(fencing_is_not_checked, "lease of a sender was ended or lengthened", within=150),
    Bug(leases_are_renewed_by_anybody, "lease of a sender was ended or lengthened", within=150),
    Bug(sent_is_written_after_the_send, "without a committed row"),
    Bug(key_life_is_ignored, "carried one operation out 2 times", within=250),
    Bug(send_before_is_ignored, "after it was too late", within=150),
    Bug(account_is_ignored, "another account or provider"),
    Bug(doubt_is_forgotten, "concluded without effect"),
    Bug(recovery_sends_what_never_was, "begun by nobody who asked for it", within=250),
    Bug(absence_is_proof, "concluded without effect", profile="keyless"),
    Bug(webhooks_settle_nothing, "speaks of operations under way"),
    Bug(last_commit_is_lost, "", store=forgetful),
]
