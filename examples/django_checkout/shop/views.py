"""
What the customer's browser asks for. A payment is made outside the view's transaction: a rollback
of the view would forget it, and the money would be gone. Reading is fine inside.
"""

from __future__ import annotations

from typing import Any

from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from payport import (
    InvalidRequest,
    Money,
    OutcomeUnknown,
    PaymentIntent,
    PaymentStatus,
    Redirect,
)
from payport.integrations.django import get_payport
from shop.models import Shipment
from shop.providers import outside


def shown(intent: PaymentIntent) -> dict[str, Any]:
    """What the customer's browser is told."""
    match intent.status:
        case PaymentStatus.SUCCEEDED:
            return {"paid": str(intent.captured)}
        case PaymentStatus.REQUIRES_ACTION if isinstance(intent.next_action, Redirect):
            return {"redirect": intent.next_action.url}
        case PaymentStatus.REQUIRES_PAYMENT_METHOD if intent.decline:
            return {"declined": intent.decline.user_message}
        case _:
            return {"wait": str(intent.status)}


@non_atomic_requests
@csrf_exempt  # an example without forms; a shop's pages send the token
def checkout(request: HttpRequest, order: str) -> JsonResponse:
    """Pay for an order. Clicking twice is harmless."""
    try:
        intent = get_payport().payments.create(
            reference=order,
            amount=Money(4999, "USD"),
            payment_method=request.GET["token"],
            confirm=True,
            return_url=f"https://shop.example/return/{order}",
        )
    except OutcomeUnknown:
        return JsonResponse({"wait": "unknown"})
    return JsonResponse(shown(intent))


@non_atomic_requests
def come_back(request: HttpRequest, order: str) -> JsonResponse:
    """The customer is back from their bank; the return itself proves nothing."""
    del request
    return JsonResponse(shown(get_payport().payments.refresh(reference=order)))


@non_atomic_requests
@csrf_exempt
def refund(request: HttpRequest, order: str) -> JsonResponse:
    """Give a part back, once for each reference."""
    pay = get_payport()
    payment = pay.payments.get(reference=order)
    try:
        made = pay.refunds.create(
            payment=payment.id,
            reference=request.GET["reference"],
            amount=Money(int(request.GET["cents"]), "USD"),
        )
    except InvalidRequest as refused:
        return JsonResponse({"refused": str(refused)}, status=400)
    except OutcomeUnknown:
        return JsonResponse({"wait": "unknown"})
    return JsonResponse({"refund": str(made.status), "amount": str(made.amount)})


def order_page(request: HttpRequest, order: str) -> JsonResponse:
    """How the order stands: payments and the shop's own rows, read in one transaction."""
    del request
    shipped = Shipment.objects.filter(reference=order).exists()
    return JsonResponse({**shown(get_payport().payments.get(reference=order)), "shipped": shipped})


@csrf_exempt
def customer(request: HttpRequest, order: str) -> JsonResponse:
    """What the customer does at their bank's page: not yours, only here to be tried out."""
    ok = request.GET.get("ok", "true") == "true"
    return JsonResponse({"return_to": outside.bank.authenticate(order, ok=ok)})
