"""Stores with one fault each. A contract that lets one of them pass promises nothing."""

import collections
import copy
import inspect
import time
from dataclasses import fields, replace

import pytest

from payport.domain.errors import ConfigurationError, StoreConflict
from payport.domain.identifiers import Environment
from payport.storage.base import InboxState, Query
from payport.storage.memory import MemoryStore, MemoryTables, MemoryTransaction
from payport.testing._store_contract import samples
from payport.testing.store_contract import StoreContract


class Faulty:
    """A transaction with one method replaced."""

    def __init__(self, tx):
        self.tx = tx

    def __getattr__(self, name):
        return getattr(self.tx, name)


class FaultyStore(MemoryStore):
    wrapped = Faulty

    def transact(self, work):
        return super().transact(lambda tx: work(self.wrapped(tx)))


def faulty(wrapped):
    return type(wrapped.__name__, (FaultyStore,), {"wrapped": wrapped})


# -- transactions -----------------------------------------------------------------------------


class CommitsOnError(MemoryStore):
    def transact(self, work):
        return work(MemoryTransaction(self._data))


class SwallowsExceptions(MemoryStore):
    def transact(self, work):
        try:
            return super().transact(work)
        except RuntimeError:
            return None
        except Exception as error:
            if isinstance(error, StoreConflict):
                raise
            return None


class KeepsHalfAConflict(FaultyStore):
    def transact(self, work):
        def lenient(tx):
            try:
                return work(tx)
            finally:
                tx._conflict = None

        return MemoryStore.transact(self, lenient)


class LetsTransactionsEscape(MemoryStore):
    def transact(self, work):
        with self._turn:
            return work(MemoryTransaction(self._data))


class LosesUpdates(MemoryStore):
    """Every transaction works on a copy of its own, and the last one to end wins."""

    def transact(self, work):
        mine = MemoryTables()
        for name, table in vars(self._data).items():
            setattr(mine, name, copy.copy(table))
        result = work(MemoryTransaction(mine))
        time.sleep(0.0005)
        self._data = mine
        return result


class CanBePickled(MemoryStore):
    def __reduce__(self):
        return (CanBePickled, ())


class ClosesOnce(MemoryStore):
    closed = False

    def close(self):
        assert not self.closed
        self.closed = True


# -- payments ---------------------------------------------------------------------------------


class IgnoresVersions(Faulty):
    def save_payment(self, intent):
        stored = self.tx.payment(intent.id)
        return self.tx.save_payment(intent.evolve(version=stored.version if stored else 0))


class LosesMicroseconds(Faulty):
    def payment(self, payment_id, *, lock=False):
        found = self.tx.payment(payment_id)
        return found and found.evolve(created_at=found.created_at.replace(microsecond=123000))


class ReturnsNaiveDatetimes(Faulty):
    def payment(self, payment_id, *, lock=False):
        found = self.tx.payment(payment_id)
        return found and found.evolve(created_at=found.created_at.replace(tzinfo=None))


class ReturnsPlainText(Faulty):
    def payment(self, payment_id, *, lock=False):
        found = self.tx.payment(payment_id)
        return found and found.evolve(environment=str(found.environment.value))


class KeepsTokens(Faulty):
    def save_payment(self, intent):
        saved = self.tx.save_payment(intent)
        self.tx._data.payments[intent.id] = saved
        return saved


class ForgetsTheAction(Faulty):
    def payment(self, payment_id, *, lock=False):
        found = self.tx.payment(payment_id)
        stripped = tuple(replace(a, next_action=None) for a in found.attempts) if found else ()
        return found and found.evolve(attempts=stripped)


class TakesTokensFromTheCaller(Faulty):
    def save_payment(self, intent):
        self.tx.save_payment(intent)
        return self.tx.payment(intent.id)


class LetsRefsBeStolen(Faulty):
    def save_payment(self, intent):
        for attempt in intent.attempts:
            self.tx._data.refs.pop((intent.provider, intent.account, attempt.ref), None)
        return self.tx.save_payment(intent)


class MixesAccounts(Faulty):
    def payment_by_ref(self, provider, account, ref):
        found = [p for (_, _, known), p in self.tx._data.refs.items() if known == ref]
        return self.tx.payment(found[0]) if found else None


class FindsOnlyTheLatestAttempt(Faulty):
    def payment_by_ref(self, provider, account, ref):
        found = self.tx.payment_by_ref(provider, account, ref)
        return found if found and found.attempts[-1].ref == ref else None


class LetsRefundsBeStolen(Faulty):
    def save_payment(self, intent):
        for refund in intent.refunds:
            self.tx._data.refunds.pop(refund.id, None)
        return self.tx.save_payment(intent)


class RemembersRefundsThatLeft(Faulty):
    def save_payment(self, intent):
        kept = dict(self.tx._data.refunds)
        saved = self.tx.save_payment(intent)
        self.tx._data.refunds.update(kept)
        return saved


class ListsOldestFirst(Faulty):
    def payments(self, query):
        return list(reversed(self.tx.payments(query)))

    def refunds(self, query):
        return list(reversed(self.tx.refunds(query)))

    def operations(self, query):
        return list(reversed(self.tx.operations(query)))


class PagesByMomentAlone(Faulty):
    """Rows of the cursor's own moment are left out: they are rare, and so is the complaint."""

    def payments(self, query):
        return self._page(self.tx.payments, query)

    def operations(self, query):
        return self._page(self.tx.operations, query)

    def _page(self, listing, query):
        if query.after is None:
            return listing(query)
        return listing(replace(query, after=None, created_before=query.after.created_at))


class MixesScopes(Faulty):
    def payments(self, query):
        return self._anywhere(self.tx.payments, query)

    def refunds(self, query):
        return self._anywhere(self.tx.refunds, query)

    def operations(self, query):
        return self._anywhere(self.tx.operations, query)

    def _anywhere(self, listing, query):
        scopes = {query.scope, "shop", "tenant_9"}
        return [row for scope in scopes for row in listing(replace(query, scope=scope))]


class IgnoresFilters(Faulty):
    def payments(self, query):
        return self.tx.payments(self._all(query))

    def refunds(self, query):
        return self.tx.refunds(self._all(query))

    def operations(self, query):
        return self.tx.operations(self._all(query))

    def _all(self, query):
        return Query(scope=query.scope, environment=query.environment)


# -- journal and events -----------------------------------------------------------------------


class ForgetsIdentities(Faulty):
    def insert_operation(self, record):
        self.tx._data.identities.clear()
        self.tx.insert_operation(record)


class CountsTheProviderAsIdentity(Faulty):
    def insert_operation(self, record):
        known = self.tx._data.operations.values()
        if any(
            o.aggregate_id == record.aggregate_id and o.provider != record.provider for o in known
        ):
            self.tx._data.identities.clear()
        self.tx.insert_operation(record)


class IdentifiesByPaymentAlone(Faulty):
    def insert_operation(self, record):
        if any(o.payment_id == record.payment_id for o in self.tx._data.operations.values()):
            raise StoreConflict
        self.tx.insert_operation(record)


class ForgetsKeys(Faulty):
    def insert_operation(self, record):
        self.tx._data.keys.pop(record.key, None)
        self.tx.insert_operation(record)


class ReplacesOnInsert(Faulty):
    def insert_operation(self, record):
        self.tx._put(self.tx._data.operations, record.id, record)


class RewritesTheRoute(Faulty):
    def save_operation(self, record):
        self.tx._put(self.tx._data.operations, record.id, record)


class SavesTheStateAlone(Faulty):
    def save_operation(self, record):
        stored = self.tx.operation(record.id)
        self.tx.save_operation(replace(stored or record, state=record.state))


class SwapsWhateverStands(Faulty):
    def swap_operation(self, old, new):
        self.tx.save_operation(new)


class SwapsNothing(Faulty):
    def swap_operation(self, old, new):
        if self.tx.operation(old.id) is None:
            raise StoreConflict


class TellsEventsAgain(Faulty):
    def add_events(self, events, *, at):
        self.tx.add_events(events, at=at)
        return list(events)


class ReplacesEvents(Faulty):
    def add_events(self, events, *, at):
        new = self.tx.add_events(events, at=at)
        self.tx._data.events.update({event.id: event for event in events})
        return new


class OrdersEventsByTheProvidersTime(Faulty):
    def events(self, payment_id):
        return sorted(self.tx.events(payment_id), key=lambda event: event.occurred_at)


class TellsEventsOfAllPayments(Faulty):
    def events(self, payment_id):
        return [event for told in self.tx._data.told.values() for event in told]


class IgnoresStates(Faulty):
    def list_operations(self, *, states=None, **narrowed):
        return self.tx.list_operations(**narrowed)


class ListsAllForNoState(Faulty):
    def list_operations(self, *, states=None, **narrowed):
        return self.tx.list_operations(states=states or None, **narrowed)


class IgnoresTheCursor(Faulty):
    def list_operations(self, *, after=None, **narrowed):
        return self.tx.list_operations(**narrowed)


class FindsDueTooEarly(Faulty):
    def due_operations(self, *, now, **asked):
        return self.tx.due_operations(now=samples.after(days=9), **asked)


class FindsDueTooLate(Faulty):
    def due_operations(self, *, now, **asked):
        return [r for r in self.tx.due_operations(now=now, **asked) if r.next_look_at < now]


class FindsTheNewestDueFirst(Faulty):
    def due_operations(self, *, limit, **asked):
        return list(reversed(self.tx.due_operations(limit=1000, **asked)))[:limit]


class FindsAllThatAreDue(Faulty):
    def due_operations(self, *, limit, **asked):
        return self.tx.due_operations(limit=1000, **asked)


class FindsOnlyTheLongPast(Faulty):
    def untended_operations(self, *, beyond, **asked):
        return self.tx.untended_operations(beyond=samples.after(days=99), **asked)


class FindsUntendedOfAllScopes(Faulty):
    def untended_operations(self, *, scope=None, **asked):
        return self.tx.untended_operations(**asked)


class FindsDueOfAllScopes(Faulty):
    def due_operations(self, *, scope=None, **asked):
        return self.tx.due_operations(**asked)


class FindsDueOfAllAccounts(Faulty):
    def due_operations(self, *, account=None, **asked):
        return self.tx.due_operations(**asked)


class FindsDueOfAllProviders(Faulty):
    def due_operations(self, *, provider, **asked):
        found = [self.tx.due_operations(provider=p, **asked) for p in ("fake", "other")]
        return [record for each in found for record in each]


class FindsDueOfAllEnvironments(Faulty):
    def due_operations(self, *, environment, **asked):
        found = [self.tx.due_operations(environment=e, **asked) for e in Environment]
        return [record for each in found for record in each]


class FindsDueFirstMomentsOnly(Faulty):
    """Keeps the moment at which a row was inserted."""

    def save_operation(self, record):
        stored = self.tx.operation(record.id)
        moment = stored and stored.next_look_at
        self.tx.save_operation(replace(record, next_look_at=moment))


class FindsWhatIsNotLookedFor(Faulty):
    def due_operations(self, *, now, **asked):
        rest = [r for r in self.tx._data.operations.values() if r.next_look_at is None]
        return [*rest, *self.tx.due_operations(now=now, **asked)]


class ForgetsThatItTookRowsBack(FaultyStore):
    """The order of what is due is not part of the transaction."""

    def transact(self, work):
        try:
            return super().transact(work)
        except Exception:
            self._data.looked_for.clear()
            raise


class KeepsTheLastWordAlone(Faulty):
    def resolutions(self, operation_id):
        return self.tx.resolutions(operation_id)[-1:]


class TellsTheLastWordFirst(Faulty):
    def resolutions(self, operation_id):
        return list(reversed(self.tx.resolutions(operation_id)))


class TellsWordsOnOtherOperations(Faulty):
    def resolutions(self, operation_id):
        return [word for told in self.tx._data.resolutions.values() for word in told]


class ForgetsTheStateBefore(Faulty):
    def add_resolution(self, resolution):
        self.tx.add_resolution(replace(resolution, from_state=resolution.to_state))


class KeepsWordsOnNothing(Faulty):
    def add_resolution(self, resolution):
        self.tx._put(self.tx._data.resolutions, resolution.operation_id, (resolution,))


class SendsWhateverPersonsSay(Faulty):
    def check_sendable(self, environment, *, count=False):
        return None


class NeverSendsAgain(Faulty):
    def check_sendable(self, environment, *, count=False):
        if environment is Environment.LIVE and self.tx.restorations():
            raise ConfigurationError("restored")


class StopsTestsToo(Faulty):
    def check_sendable(self, environment, *, count=False):
        return self.tx.check_sendable(Environment.LIVE, count=count)


class TellsWordsOnRestorationsBackwards(Faulty):
    def restorations(self):
        return list(reversed(self.tx.restorations()))


# -- inbox and handlers -----------------------------------------------------------------------


class ForgetsDedupeKeys(Faulty):
    def add_delivery(self, row):
        self.tx._data.dedupe.clear()
        return self.tx.add_delivery(row)


class MixesDedupeKeysOfProviders(Faulty):
    def add_delivery(self, row):
        known = [r for r in self.tx._data.inbox.values() if r.dedupe_key == row.dedupe_key]
        return known[0] if known else self.tx.add_delivery(row)


class ReplacesDeliveries(Faulty):
    def add_delivery(self, row):
        known = self.tx.add_delivery(row)
        self.tx._data.inbox[row.id] = row
        return known


class LetsDeliveriesBeRewritten(Faulty):
    def save_delivery(self, row):
        self.tx.save_delivery(row)
        self.tx._data.inbox[row.id] = row


class HandsOutWholeLines(Faulty):
    def due_deliveries(self, *, provider, environment, now, limit, account=None):
        place, waiting = (provider, environment), self.tx._data.waiting.values()
        ours = [row for row in waiting if (row.provider, row.environment) == place]
        due = [row for row in ours if row.due_at <= now]
        return sorted(due, key=lambda row: (row.due_at, row.received_at, row.id))[:limit]


class PassesOverWhoWaits(Faulty):
    """One that waits to be tried again is not the first of its line any more."""

    def due_deliveries(self, *, limit, **asked):
        rows, seen = HandsOutWholeLines(self.tx).due_deliveries(**asked, limit=1000), set()
        return [r for r in rows if not (r.ordering_key in seen or seen.add(r.ordering_key))][:limit]


class HandsOutTooEarly(Faulty):
    def due_deliveries(self, *, now, **asked):
        return self.tx.due_deliveries(**asked, now=samples.after(days=9))

    def due_handler_runs(self, *, now, **asked):
        return self.tx.due_handler_runs(**asked, now=samples.after(days=9))


def of_everybody(tx, method, *, provider, environment, limit, now, account=None):
    """What is due of all providers and environments."""
    places = [(p, e) for p in ("fake", "other") for e in Environment]
    ask = getattr(tx, method)
    found = [r for p, e in places for r in ask(provider=p, environment=e, now=now, limit=limit)]
    return found[::-1][:limit]


class HandsOutWhatIsOthers(Faulty):
    def due_deliveries(self, **asked):
        return of_everybody(self.tx, "due_deliveries", **asked)

    def due_handler_runs(self, **asked):
        return of_everybody(self.tx, "due_handler_runs", **asked)


class HandsOutTheNewestDeliveryFirst(Faulty):
    def due_deliveries(self, *, limit, **asked):
        return list(reversed(self.tx.due_deliveries(**asked, limit=1000)))[:limit]


class ForgetsClaims(Faulty):
    def claim_deliveries(self, ids, *, until):
        pass

    def claim_handler_runs(self, runs, *, until):
        pass


class ClaimsWithoutFencing(Faulty):
    def claim_deliveries(self, ids, *, until):
        for one in ids:
            row = self.tx.delivery(one)
            self.tx.save_delivery(replace(row, due_at=until, claimed_until=until))

    def claim_handler_runs(self, runs, *, until):
        for run in runs:
            self.tx.save_handler_run(replace(run, due_at=until, claimed_until=until))


class LooksAtTheFirstOfALineAlone(Faulty):
    """A later one of the line that is claimed keeps nobody back."""

    def due_deliveries(self, *, now, limit, **place):
        rows = HandsOutWholeLines(self.tx).due_deliveries(**place, now=now, limit=1000)
        first = {}
        for row in self.tx._data.waiting.values():
            known = first.get(row.ordering_key, row)
            first[row.ordering_key] = min(known, row, key=lambda r: (r.received_at, r.id))
        return [row for row in rows if first[row.ordering_key] is row][:limit]

    def is_at_work(self, row, now):
        return False


class HoldsTheWholeInbox(Faulty):
    def hold_line(self, row, until):
        for other in list(self.tx._data.waiting.values()):
            if other.id != row.id and other.due_at < until:
                self.tx.save_delivery(replace(other, due_at=until))


class ReconsidersTheDead(Faulty):
    def reconsider(self, *, now, ref, provider, environment):
        rows = [r for r in self.tx._data.inbox.values() if r.attempt_ref == ref]
        for row in rows:
            due = replace(row, state=InboxState.DUE, tries=0, due_at=now, error=None)
            self.tx.save_delivery(due)


class ListsDeliveriesOldestFirst(Faulty):
    def deliveries(self, query):
        return list(reversed(self.tx.deliveries(query)))

    def handler_runs(self, query):
        return list(reversed(self.tx.handler_runs(query)))


class CountsEverybodys(Faulty):
    def inbox_counts(self, provider, environment):
        counts = self.tx.inbox_counts(provider, environment)
        states = collections.Counter(row.state for row in self.tx._data.inbox.values())
        return replace(counts, deliveries=states)


class CountsWhatIsNotDue(Faulty):
    def inbox_due(self, environment, *, before):
        rows = [r for r in self.tx._data.inbox.values() if r.environment == environment]
        return collections.Counter(row.provider for row in rows)


class PrunesTheDead(Faulty):
    def prune_bodies(self, *, before, limit, **place):
        rows = [r for r in self.tx._data.inbox.values() if r.received_at < before and r.body]
        for row in rows[:limit]:
            self.tx._data.inbox[row.id] = replace(row, body=None)
        return len(rows[:limit])


class PrunesWholeDeliveries(Faulty):
    def prune_bodies(self, **asked):
        pruned = self.tx.prune_bodies(**asked)
        for row in [r for r in self.tx._data.inbox.values() if r.body is None]:
            del self.tx._data.inbox[row.id]
        return pruned


class MixesUpRunsOfEvents(Faulty):
    def runs_of(self, event_id):
        return list(self.tx._data.runs.values())


class RunsHandlersAgain(Faulty):
    def add_handler_runs(self, runs):
        for run in runs:
            self.tx._data.runs.pop((run.event_id, run.handler), None)
        self.tx.add_handler_runs(runs)


class RunsOneHandlerForAll(Faulty):
    def add_handler_runs(self, runs):
        self.tx.add_handler_runs([replace(run, handler="shop.paid") for run in runs])


class HandsOutTheNewestRunFirst(Faulty):
    def due_handler_runs(self, *, limit, **asked):
        return list(reversed(self.tx.due_handler_runs(**asked, limit=1000)))[:limit]


class InsertsOnSave(Faulty):
    def save_delivery(self, row):
        self.tx.add_delivery(row)
        self.tx.save_delivery(row)

    def save_operation(self, record):
        if self.tx.operation(record.id) is None:
            self.tx.insert_operation(record)
        self.tx.save_operation(record)

    def save_handler_run(self, run):
        self.tx.add_handler_runs([run])
        self.tx.save_handler_run(run)


class LetsTheLateWrite(Faulty):
    def swap_delivery(self, old, new):
        self.tx.save_delivery(new)

    def swap_handler_run(self, old, new):
        self.tx.save_handler_run(new)
        return True


class OverlooksAContradiction(Faulty):
    def swap_delivery(self, old, new):
        stored = self.tx.delivery(old.id)
        self.tx.swap_delivery(replace(old, conflict=stored.conflict if stored else False), new)


class HandsOutWhatIsAnotherAccounts(Faulty):
    def due_deliveries(self, *, account=None, **asked):
        return self.tx.due_deliveries(**asked)

    def due_handler_runs(self, *, account=None, **asked):
        return self.tx.due_handler_runs(**asked)


class KeepsWhatIsNobodys(Faulty):
    def due_deliveries(self, *, account=None, **asked):
        rows = self.tx.due_deliveries(**asked)
        return [row for row in rows if account in {None, row.received_for}]

    def due_handler_runs(self, *, account=None, **asked):
        runs = self.tx.due_handler_runs(**asked)
        return [run for run in runs if account in {None, run.account}]


class FindsFewEvents(Faulty):
    def several_events(self, event_ids):
        return self.tx.several_events(list(event_ids)[:20])


class RemembersWhatItHeld(Faulty):
    """A payment that is held is as it was when it was held, whatever is written."""

    def hold_payments(self, keys):
        found = [self.tx.operation_by_key(key) for key in keys]
        self.held = {one.payment_id: self.tx.payment(one.payment_id) for one in found if one}

    def payment(self, payment_id, *, lock=False):
        held = getattr(self, "held", {})
        return held.get(payment_id) or self.tx.payment(payment_id, lock=lock)


#: Each faulty store, and the promises of which at least these are found broken.
BROKEN = [
    (CommitsOnError, ["an_exception_takes_everything_back_and_goes_on"]),
    (
        faulty(LetsTheLateWrite),
        [
            "a_delivery_is_swapped_while_it_stands_as_it_was_claimed",
            "a_run_is_swapped_while_it_stands_as_it_was_claimed",
        ],
    ),
    (
        faulty(OverlooksAContradiction),
        ["a_delivery_is_swapped_while_it_stands_as_it_was_claimed"],
    ),
    (
        faulty(HandsOutWhatIsAnotherAccounts),
        [
            "an_account_is_handed_its_own_and_what_is_nobodys",
            "an_account_is_handed_its_own_runs_and_those_of_nobody",
        ],
    ),
    (
        faulty(KeepsWhatIsNobodys),
        [
            "an_account_is_handed_its_own_and_what_is_nobodys",
            "an_account_is_handed_its_own_runs_and_those_of_nobody",
        ],
    ),
    (faulty(FindsFewEvents), ["several_events_are_found_by_their_ids"]),
    (faulty(RemembersWhatItHeld), ["what_is_read_of_a_held_payment_is_what_was_written"]),
    (CommitsOnError, ["an_exception_brings_back_what_was_replaced"]),
    (CommitsOnError, ["a_failed_unit_of_work_leaves_the_store_usable"]),
    (SwallowsExceptions, ["an_exception_takes_everything_back_and_goes_on"]),
    (KeepsHalfAConflict, ["a_conflict_that_the_work_swallows_keeps_nothing"]),
    (LetsTransactionsEscape, ["a_transaction_is_unusable_after_its_end"]),
    (LosesUpdates, ["threads_that_lock_a_payment_lose_no_update"]),
    (LosesUpdates, ["of_many_threads_one_inserts_an_operation"]),
    (CanBePickled, ["a_store_is_not_pickled"]),
    (ClosesOnce, ["closing_twice_does_nothing"]),
    (faulty(IgnoresVersions), ["a_stale_payment_replaces_nothing"]),
    (faulty(IgnoresVersions), ["a_payment_is_inserted_once"]),
    (faulty(IgnoresVersions), ["a_payment_that_is_not_there_is_not_replaced"]),
    (
        faulty(LosesMicroseconds),
        ["a_payment_comes_back_equal", "moments_come_back_aware_and_to_the_microsecond"],
    ),
    (faulty(ReturnsNaiveDatetimes), ["moments_come_back_aware_and_to_the_microsecond"]),
    (faulty(ReturnsPlainText), ["a_payment_comes_back_with_its_own_types"]),
    (faulty(KeepsTokens), ["tokens_and_payloads_never_come_back"]),
    (
        faulty(ForgetsTheAction),
        ["what_the_customer_has_to_do_stays_known_without_its_token", "a_payment_comes_back_equal"],
    ),
    (
        faulty(TakesTokensFromTheCaller),
        ["saving_gives_the_tokens_back_to_whoever_just_got_them"],
    ),
    (faulty(LetsRefsBeStolen), ["two_payments_never_hold_one_object_of_a_provider"]),
    (faulty(MixesAccounts), ["refs_of_two_providers_or_accounts_never_meet"]),
    (faulty(FindsOnlyTheLatestAttempt), ["a_payment_is_found_by_every_attempts_ref"]),
    (faulty(LetsRefundsBeStolen), ["a_refund_never_belongs_to_two_payments"]),
    (faulty(RemembersRefundsThatLeft), ["a_refund_that_left_its_payment_is_not_found"]),
    (
        faulty(ListsOldestFirst),
        [
            "payments_are_listed_newest_first",
            "refunds_are_listed_newest_first_in_pages",
            "operations_are_listed_newest_first_in_pages",
        ],
    ),
    (
        faulty(PagesByMomentAlone),
        [
            "pages_leave_nothing_out_and_repeat_nothing",
            "operations_are_listed_newest_first_in_pages",
        ],
    ),
    (
        faulty(MixesScopes),
        [
            "listings_keep_to_scope_and_environment",
            "refund_listings_are_narrowed",
            "operation_listings_are_narrowed",
        ],
    ),
    (
        faulty(IgnoresFilters),
        [
            "listings_are_narrowed_by_status_time_and_payment",
            "refund_listings_are_narrowed",
            "operation_listings_are_narrowed",
        ],
    ),
    (faulty(ForgetsIdentities), ["an_identity_is_there_once_whatever_the_provider"]),
    (faulty(CountsTheProviderAsIdentity), ["an_identity_is_there_once_whatever_the_provider"]),
    (faulty(IdentifiesByPaymentAlone), ["every_part_of_an_identity_makes_another_operation"]),
    (faulty(ForgetsKeys), ["a_key_is_there_once"]),
    (
        faulty(ReplacesOnInsert),
        ["an_id_is_there_once", "work_goes_on_after_an_operation_was_there_already"],
    ),
    (
        faulty(RewritesTheRoute),
        ["saving_changes_all_but_identity_fingerprint_key_and_route"],
    ),
    (
        faulty(SavesTheStateAlone),
        ["saving_changes_all_but_identity_fingerprint_key_and_route"],
    ),
    (
        faulty(SwapsWhateverStands),
        [
            "an_operation_that_was_changed_since_is_not_swapped",
            "an_operation_without_a_lease_is_not_swapped",
        ],
    ),
    (faulty(SwapsNothing), ["an_operation_that_stands_as_it_was_read_is_swapped"]),
    (faulty(IgnoresStates), ["operations_are_listed_by_any_of_several_states"]),
    (faulty(ListsAllForNoState), ["operations_are_listed_by_any_of_several_states"]),
    (faulty(IgnoresTheCursor), ["operations_are_listed_by_any_of_several_states"]),
    (faulty(FindsDueTooEarly), ["an_operation_is_due_from_its_moment_on"]),
    (faulty(FindsDueTooLate), ["an_operation_is_due_from_its_moment_on"]),
    (faulty(FindsTheNewestDueFirst), ["due_operations_come_longest_due_first"]),
    (faulty(FindsAllThatAreDue), ["due_operations_come_longest_due_first"]),
    (faulty(FindsOnlyTheLongPast), ["untended_operations_lie_long_past_or_impossibly_ahead"]),
    (faulty(FindsUntendedOfAllScopes), ["untended_operations_lie_long_past_or_impossibly_ahead"]),
    (faulty(FindsDueOfAllScopes), ["due_operations_are_narrowed"]),
    (faulty(FindsDueOfAllAccounts), ["due_operations_are_narrowed"]),
    (faulty(FindsDueOfAllProviders), ["due_operations_are_narrowed"]),
    (faulty(FindsDueOfAllEnvironments), ["due_operations_are_narrowed"]),
    (
        faulty(FindsDueFirstMomentsOnly),
        [
            "an_operation_that_was_looked_at_is_due_again_when_it_says_so",
            "an_operation_that_is_done_is_never_due",
        ],
    ),
    (faulty(FindsWhatIsNotLookedFor), ["an_operation_that_is_done_is_never_due"]),
    (ForgetsThatItTookRowsBack, ["what_is_due_is_as_it_was_after_an_exception"]),
    (faulty(KeepsTheLastWordAlone), ["every_word_on_an_operation_is_kept_in_order"]),
    (faulty(TellsTheLastWordFirst), ["every_word_on_an_operation_is_kept_in_order"]),
    (faulty(TellsWordsOnOtherOperations), ["every_word_on_an_operation_is_kept_in_order"]),
    (faulty(ForgetsTheStateBefore), ["every_word_on_an_operation_is_kept_in_order"]),
    (faulty(KeepsWordsOnNothing), ["a_word_on_an_operation_that_is_not_there_is_refused"]),
    (
        faulty(SendsWhateverPersonsSay),
        [
            "a_restored_store_sends_nothing_live_until_a_person_says_so",
            "counting_a_send_is_refused_as_well",
        ],
    ),
    (faulty(NeverSendsAgain), ["a_restored_store_sends_nothing_live_until_a_person_says_so"]),
    (faulty(StopsTestsToo), ["a_restored_store_goes_on_in_tests"]),
    (faulty(TellsWordsOnRestorationsBackwards), ["words_on_restorations_are_kept_in_order"]),
    (
        faulty(TellsEventsAgain),
        [
            "an_event_is_kept_once_and_told_as_new_once",
            "an_event_given_twice_at_once_is_new_once",
        ],
    ),
    (faulty(ReplacesEvents), ["an_event_is_kept_once_and_told_as_new_once"]),
    (
        faulty(OrdersEventsByTheProvidersTime),
        ["events_come_in_the_order_in_which_they_were_learned"],
    ),
    (faulty(TellsEventsOfAllPayments), ["events_keep_to_their_payment"]),
    (faulty(ForgetsDedupeKeys), ["a_dedupe_key_is_there_once_whatever_the_id"]),
    (
        faulty(MixesDedupeKeysOfProviders),
        ["dedupe_keys_of_providers_and_environments_never_meet"],
    ),
    (faulty(ReplacesDeliveries), ["a_repeated_delivery_finds_the_first"]),
    (
        faulty(LetsDeliveriesBeRewritten),
        ["saving_changes_the_state_and_nothing_that_was_received"],
    ),
    (
        faulty(HandsOutWholeLines),
        [
            "of_one_payment_only_the_first_is_handed_out",
            "the_next_comes_once_the_first_needs_nothing_more",
        ],
    ),
    (faulty(PassesOverWhoWaits), ["the_next_waits_while_the_first_waits_to_be_tried_again"]),
    (
        faulty(HandsOutTooEarly),
        ["a_delivery_is_due_from_its_moment_on", "a_saved_run_is_due_when_it_says_so"],
    ),
    (
        faulty(HandsOutWhatIsOthers),
        [
            "payments_of_two_providers_never_wait_for_each_other",
            "many_deliveries_of_others_keep_nobody_waiting",
            "runs_of_others_are_left_to_them",
        ],
    ),
    (
        faulty(HandsOutTheNewestDeliveryFirst),
        [
            "due_deliveries_come_longest_due_first",
            "what_is_due_together_comes_in_the_order_of_arrival",
        ],
    ),
    (
        faulty(ForgetsClaims),
        [
            "a_claimed_delivery_is_nobody_elses_until_its_claim_ends",
            "a_claimed_run_is_nobody_elses_until_its_claim_ends",
        ],
    ),
    (
        faulty(ClaimsWithoutFencing),
        [
            "a_claimed_delivery_is_nobody_elses_until_its_claim_ends",
            "a_claimed_run_is_nobody_elses_until_its_claim_ends",
        ],
    ),
    (
        faulty(LooksAtTheFirstOfALineAlone),
        ["nothing_of_a_line_is_handed_out_while_any_of_it_is_claimed"],
    ),
    (faulty(HoldsTheWholeInbox), ["a_line_can_be_held"]),
    (faulty(ReconsidersTheDead), ["foreign_deliveries_about_an_object_can_be_made_due"]),
    (
        faulty(ListsDeliveriesOldestFirst),
        ["deliveries_are_listed_newest_first", "runs_are_listed_latest_due_first"],
    ),
    (faulty(CountsEverybodys), ["what_is_kept_is_counted"]),
    (faulty(CountsWhatIsNotDue), ["what_is_due_is_counted_of_every_provider"]),
    (faulty(PrunesTheDead), ["bodies_are_deleted_by_age_and_all_else_stays"]),
    (faulty(PrunesWholeDeliveries), ["bodies_are_deleted_by_age_and_all_else_stays"]),
    (faulty(MixesUpRunsOfEvents), ["the_runs_of_an_event_are_found"]),
    (faulty(RunsHandlersAgain), ["a_run_that_is_there_stays_as_it_is"]),
    (faulty(RunsOneHandlerForAll), ["a_run_comes_back_equal"]),
    (faulty(HandsOutTheNewestRunFirst), ["due_runs_come_longest_due_first"]),
    (
        faulty(InsertsOnSave),
        [
            "an_operation_that_is_not_there_is_not_saved",
            "a_delivery_that_is_not_there_is_not_saved",
            "a_run_that_is_not_there_is_not_saved",
        ],
    ),
]

PROMISES = dict(inspect.getmembers(StoreContract, inspect.isfunction))
PROMISES = {name: test for name, test in PROMISES.items() if name.startswith("test_")}


def breaks(test, make_store, at_rest=bytes):
    """Whether a contract test fails on any of its parameters."""
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    cases = [{mark.args[0]: value} for mark in marks for value in mark.args[1]] or [{}]
    for case in cases:
        asked = inspect.signature(test).parameters
        given = {"store": make_store(), "at_rest": at_rest, **case}
        try:
            test(StoreContract(), **{name: given[name] for name in asked if name != "self"})
        except (Exception, pytest.fail.Exception):  # noqa: BLE001 - any failure is one
            return True
    return False


@pytest.mark.parametrize("name", sorted(PROMISES))
def test_a_faultless_store_keeps(name):
    assert not breaks(PROMISES[name], FaultyStore)


@pytest.mark.parametrize(
    ("store", "promise"),
    [(store, promise) for store, promises in BROKEN for promise in promises],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_faulty_store_breaks(store, promise):
    assert breaks(PROMISES[f"test_{promise}"], store)


def test_a_store_that_writes_tokens_breaks_secrecy():
    promise = PROMISES["test_tokens_and_payloads_are_not_written"]
    leaking = f"pay_order_1 {samples.CANARY}".encode()
    assert breaks(promise, MemoryStore, at_rest=lambda: leaking)
    assert breaks(promise, MemoryStore, at_rest=lambda: b"another file")
    assert not breaks(promise, MemoryStore, at_rest=lambda: b"pay_order_1")


def test_every_group_of_promises_is_bitten():
    bitten = {f"test_{promise}" for _, promises in BROKEN for promise in promises}
    for group in StoreContract.__mro__[1:-1]:
        assert bitten & set(vars(group)), group


def test_the_samples_leave_no_attribute_at_its_default():
    full, usual = samples.everything(), samples.payment()
    same = {f.name for f in fields(full) if getattr(full, f.name) == getattr(usual, f.name)}
    # These have no default to be mistaken for.
    assert same == {
        "id", "reference", "scope", "environment", "provider", "account", "amount",
        "created_at", "version",
    }  # fmt: skip
