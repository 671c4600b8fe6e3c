"""
Refunds, disputes, balance transactions, customers and the account as Stripe writes them.

Balance transactions are the bank's books, with each fee put to the movement that it is for.
"""

from __future__ import annotations

from typing import Final

from payport.testing.bank.books import Entry, EntryKind
from payport.testing.bank.records import Dispute, DisputeState, Payment, Refund, RefundState
from payport.testing.stripe_simulator.amounts import to_wire
from payport.testing.stripe_simulator.errors import Doc
from payport.testing.stripe_simulator.memory import Customer, Memory, stripe_id, transaction_id

__all__ = ["Effects"]

_SECOND: Final = 1_000_000
_DAY: Final = 86_400
_D = DisputeState

_REFUNDS: Final = {
    RefundState.ASKED: "pending",
    RefundState.GIVEN: "succeeded",
    RefundState.BOUNCED: "failed",
}
#: An inquiry that was answered without a dispute is closed.
_DISPUTES: Final = {
    _D.INQUIRY: "warning_needs_response",
    _D.ANSWERED: "warning_closed",
    _D.RAISED: "needs_response",
    _D.EXAMINED: "under_review",
    _D.WON: "won",
    _D.LOST: "lost",
}
#: The type of a balance transaction, its category in reports, and the prefix of its source.
_TYPES: Final = {
    EntryKind.CHARGE: ("charge", "charge", "ch"),
    EntryKind.CHARGE_FAILURE: ("payment_failure_refund", "charge_failure", "ch"),
    EntryKind.REFUND: ("refund", "refund", "re"),
    EntryKind.REFUND_FAILURE: ("refund_failure", "refund_failure", "re"),
    EntryKind.DISPUTE: ("adjustment", "dispute", "dp"),
    EntryKind.DISPUTE_REVERSAL: ("adjustment", "dispute_reversal", "dp"),
    EntryKind.PAYOUT: ("payout", "payout", "po"),
    EntryKind.PAYOUT_FAILURE: ("payout_failure", "payout_reversal", "po"),
}
_EVIDENCE: Final = (
    *("access_activity_log", "billing_address", "cancellation_policy"),
    *("cancellation_policy_disclosure", "cancellation_rebuttal", "customer_communication"),
    *("customer_email_address", "customer_name", "customer_purchase_ip", "customer_signature"),
    *("duplicate_charge_documentation", "duplicate_charge_explanation", "duplicate_charge_id"),
    *("product_description", "receipt", "refund_policy", "refund_policy_disclosure"),
    *("refund_refusal_explanation", "service_date", "service_documentation", "shipping_address"),
    *("shipping_carrier", "shipping_date", "shipping_documentation"),
    *("shipping_tracking_number", "uncategorized_file", "uncategorized_text"),
)


class Effects:
    """Writes what happens to payments, and who they are for."""

    def __init__(self, memory: Memory, *, live: bool) -> None:
        self._memory = memory
        self._live = live
        self._transactions: list[Doc] = []
        self._by_source: dict[str, list[Doc]] = {}
        self._numbers: dict[str, int] = {}
        self._read = 0

    def refund(self, payment: Payment, refund: Refund) -> Doc:
        """A refund."""
        intent = self._memory.intent_of(payment)
        kept = self._memory.refund_metadata.get(refund.ref)
        status = _REFUNDS[refund.state]
        charge, method = intent.charge, intent.method
        ref = stripe_id("re", refund.ref)
        given = refund.state is not RefundState.ASKED
        details = {"reference_status": "pending", "type": "refund"}
        details["reference_type"] = "acquirer_reference_number"
        document: Doc = {
            "id": ref,
            "object": "refund",
            "amount": to_wire(refund.amount, intent.currency),
            "balance_transaction": self._id_of_first(ref) if given else None,
            "charge": charge.id if charge is not None else None,
            "created": refund.created // _SECOND,
            "currency": intent.currency.lower(),
            "customer": payment.order.customer,
            "customer_account": None,
            "destination_details": {"card": details, "type": "card"},
            "metadata": dict(refund.metadata if kept is None else kept),
            "payment_intent": intent.id,
            "payment_method": method.id if method is not None else None,
            "reason": refund.reason if refund.reason != "unknown" else None,
            "receipt_number": None,
            "source_transfer_reversal": None,
            "status": status,
            "transfer_reversal": None,
        }
        if status == "failed":
            document["failure_reason"] = _FAILURES.get(refund.failure or "", "unknown")
            document["failure_balance_transaction"] = self._id_of_last(ref)
        if status == "pending":
            document["pending_reason"] = "processing"
        return document

    def dispute(self, payment: Payment, dispute: Dispute) -> Doc:
        """A dispute."""
        intent = self._memory.intent_of(payment)
        ref = stripe_id("dp", dispute.ref)
        charge = intent.charge
        brand = intent.method.look.brand if intent.method is not None else "visa"
        inquiry = dispute.state in {_D.INQUIRY, _D.ANSWERED}
        card = {
            "brand": brand,
            "case_type": "inquiry" if inquiry else "chargeback",
            "network_reason_code": "10.4",
        }
        answered = dispute.state is _D.EXAMINED
        due = dispute.respond_by // _SECOND
        return {
            "id": ref,
            "object": "dispute",
            "amount": to_wire(dispute.amount, intent.currency),
            "balance_transaction": None,
            "balance_transactions": [dict(doc) for doc in self.of_source(ref)],
            "charge": charge.id if charge is not None else None,
            "created": dispute.created // _SECOND,
            "currency": intent.currency.lower(),
            "enhanced_eligibility_types": [],
            "evidence": {**dict.fromkeys(_EVIDENCE), "enhanced_evidence": {}},
            "evidence_details": {
                "due_by": due,
                "enhanced_eligibility": {},
                "has_evidence": answered,
                "past_due": self._memory.now() > due,
                "submission_count": int(answered),
            },
            "is_charge_refundable": inquiry,
            "livemode": self._live,
            "metadata": {},
            "payment_intent": intent.id,
            "payment_method_details": {"card": card, "type": "card"},
            "reason": dispute.reason,
            "status": _DISPUTES[dispute.state],
        }

    # -- the books ------------------------------------------------------------------------------

    def transactions(self) -> list[Doc]:
        """All balance transactions, oldest first, as long as nobody changes them."""
        entries = self._memory.vault.books.entries
        for entry in entries[self._read :]:
            self._add(entry)
        self._read = len(entries)
        return self._transactions

    def of_source(self, ref: str) -> list[Doc]:
        """The balance transactions of a charge, refund, dispute or payout."""
        self.transactions()
        return self._by_source.get(ref, [])

    def _id_of_first(self, ref: str) -> str | None:
        found = self.of_source(ref)
        return found[0]["id"] if found else None

    def _id_of_last(self, ref: str) -> str | None:
        found = self.of_source(ref)
        return found[-1]["id"] if len(found) > 1 else None

    def _add(self, entry: Entry) -> None:
        amount = to_wire(entry.minor, entry.currency)
        if entry.kind is EntryKind.FEE:
            # The bank writes a fee right after what it is for.
            self._put_fee(self._transactions[-1], -amount)
            return
        kind, category, prefix = _TYPES[entry.kind]
        source = self._source(entry, prefix)
        number = self._numbers[entry.effect] = self._numbers.get(entry.effect, 0) + 1
        ref = transaction_id(entry.effect)
        created = entry.at // _SECOND
        document: Doc = {
            "id": ref if number == 1 else f"{ref}n{number}",
            "object": "balance_transaction",
            "amount": amount,
            "available_on": created - created % _DAY + 7 * _DAY,
            "balance_type": "payments",
            "created": created,
            "currency": entry.currency.lower(),
            "description": self._description(entry),
            "exchange_rate": None,
            "fee": 0,
            "fee_details": [],
            "net": amount,
            "reporting_category": category,
            "source": source,
            "status": "pending",
            "type": kind,
        }
        self._transactions.append(document)
        self._by_source.setdefault(source, []).append(document)

    def _source(self, entry: Entry, prefix: str) -> str:
        if prefix == "ch" and entry.payment is not None:
            payment = self._memory.vault.payments[entry.payment]
            return stripe_id("ch", payment.tries[-1].ref)
        return stripe_id(prefix, entry.effect)

    def _description(self, entry: Entry) -> str | None:
        """What the payment said when the money came in."""
        if entry.kind is not EntryKind.CHARGE or entry.payment is None:
            return None
        payment = self._memory.vault.payments[entry.payment]
        told: str | None = self._memory.intent_of(payment).fields.get("description")
        return told

    def _put_fee(self, document: Doc, fee: int) -> None:
        document["fee"] = fee
        document["net"] = document["amount"] - fee
        what = "Stripe processing fees" if document["type"] == "charge" else "Dispute fee"
        document["fee_details"] = [
            {
                "amount": fee,
                "application": None,
                "currency": document["currency"],
                "description": what,
                "type": "stripe_fee",
            }
        ]

    def balance(self) -> Doc:
        """The balance: what came in is pending until a payout takes it."""
        balances = self._memory.vault.books.balances or {"USD": 0}
        pending = [
            {
                "amount": to_wire(minor, currency),
                "currency": currency.lower(),
                "source_types": {"card": to_wire(minor, currency)},
            }
            for currency, minor in sorted(balances.items())
        ]
        nothing = [{**one, "amount": 0, "source_types": {"card": 0}} for one in pending]
        document: Doc = {
            "object": "balance",
            "available": nothing,
            "livemode": self._live,
            "pending": pending,
            "refund_and_dispute_prefunding": {"available": [], "pending": []},
        }
        return document

    # -- who ------------------------------------------------------------------------------------

    def customer(self, customer: Customer) -> Doc:
        """A customer."""
        get = customer.fields.get
        settings: Doc = get("invoice_settings") or {}
        return {
            "id": customer.id,
            "object": "customer",
            "address": get("address") or None,
            "balance": get("balance", 0),
            "created": customer.created,
            "currency": None,
            "customer_account": None,
            "default_source": None,
            "delinquent": False,
            "description": get("description") or None,
            "discount": None,
            "email": get("email") or None,
            "invoice_prefix": get("invoice_prefix", "SIMULATE"),
            "invoice_settings": {
                "custom_fields": None,
                "default_payment_method": settings.get("default_payment_method"),
                "footer": settings.get("footer"),
                "rendering_options": None,
            },
            "livemode": self._live,
            "metadata": dict(customer.metadata),
            "name": get("name") or None,
            "next_invoice_sequence": get("next_invoice_sequence", 1),
            "phone": get("phone") or None,
            "preferred_locales": get("preferred_locales", []),
            "shipping": get("shipping") or None,
            "tax_exempt": get("tax_exempt") or "none",
            "test_clock": None,
        }

    def account(self) -> Doc:
        """The account, with the little of it that payments need."""
        return {
            "id": self._memory.bank.account,
            "object": "account",
            "business_type": None,
            "capabilities": {"card_payments": "active", "transfers": "active"},
            "charges_enabled": True,
            "country": "US",
            "created": 0,
            "default_currency": "usd",
            "details_submitted": True,
            "email": None,
            "metadata": {},
            "payouts_enabled": True,
            "type": "standard",
        }


#: The bank's words for why a refund failed, and Stripe's.
_FAILURES: Final = {"declined": "declined", "returned": "expired_or_canceled_card"}
