"""
The view that a provider posts its webhooks to: stored durably, then answered. It opens its own
transaction, also in projects with `ATOMIC_REQUESTS`, and no CSRF token is asked of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.core.exceptions import SuspiciousOperation
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from payport.domain.errors import PayportError
from payport.integrations._answers import Answer, answer_from, answer_to, read_body
from payport.integrations.django.clients import get_payport
from payport.integrations.django.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["webhook"]


def _webhook(request: HttpRequest, provider: str | None = None) -> HttpResponse:
    try:
        pay = get_payport()
        receipt = pay.webhooks.receive(
            body=read_body(request.read, request.headers.get("Content-Length")),
            headers=request.headers,
            url=request.build_absolute_uri(),
            provider=provider,
        )
    except SuspiciousOperation:
        raise  # Django answers it, such as a host that ALLOWED_HOSTS does not name
    except UnreadablePostError:
        return HttpResponse(status=400)  # the sender hung up: nobody reads it
    except Exception as error:  # noqa: BLE001 - whatever it is, its details stay here
        return _response(answer_to(error))
    if read_settings().process_webhooks:
        try:
            pay.webhooks.process_due()
        except PayportError as error:
            answer_to(error)  # logged; the delivery is stored, and due again later
    return _response(answer_from(receipt))


def _response(answer: Answer) -> HttpResponse:
    return HttpResponse(
        answer.text, "text/plain; charset=utf-8", answer.status, headers=dict(answer.headers)
    )


def _outside_transactions(
    view: Callable[..., HttpResponse],
) -> Callable[..., HttpResponse]:
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view


#: Answers 200, 400, 413, 503 or 500 to a POST, and 405 to everything else.
webhook: Final = csrf_exempt(_outside_transactions(require_POST(_webhook)))
