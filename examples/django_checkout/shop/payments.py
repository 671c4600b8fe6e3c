"""
What the shop does when a payment changed.

A handler runs inside the transaction that marks it as done, on Django's own connection: what it
writes by the ORM is there once, however often the process is killed. So nothing here looks whether
the row is there already.
"""

from payport import Handlers, PaymentSucceeded, RefundSucceeded
from shop.models import Return, Shipment

handlers = Handlers()


@handlers.on(PaymentSucceeded)
def ship(event: PaymentSucceeded, tx: object) -> None:
    """Ship what was paid."""
    del tx
    Shipment.objects.create(reference=event.reference)


@handlers.on(RefundSucceeded)
def restock(event: RefundSucceeded, tx: object) -> None:
    """Take back what was refunded."""
    del tx
    Return.objects.create(reference=event.refund_reference or "")
