"""
Payport in Flask: the webhook endpoint in one line, and the application's client where a view needs
it. Flask is synchronous, and so is the client: `Payport`.

    pay = Payport(provider, scope="shop", store="postgresql://...")
    app = Flask(__name__)
    mount_webhooks(app, pay, "/webhooks/payport")

    @app.post("/checkout/<order>")
    def checkout(order): get_payport().payments.create(...)

There is no end of an application in Flask, only that of its process: the client is closed there.
"""

from __future__ import annotations

import atexit
import weakref
from typing import Final

from flask import Blueprint, Flask, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from payport.client.payport import Payport
from payport.domain.errors import ConfigurationError, PayportError
from payport.integrations._answers import Answer, answer_from, answer_to, check_length, too_large
from payport.webhooks.inbox import MAX_BODY

__all__ = ["get_payport", "mount_webhooks", "webhooks_blueprint"]

#: Where the client is kept in `app.extensions`.
_EXTENSION: Final = "payport"


def webhooks_blueprint(
    pay: Payport,
    path: str = "/webhooks/payport",
    *,
    process: bool = False,
    provider: str | None = None,
) -> Blueprint:
    """
    A blueprint with the endpoint that a provider posts its webhooks to.

    It answers 200 once a request is stored durably, 400 or 413 to one that is rejected, and 503
    where it could not be stored, so that the provider sends it again. No more of a body is read
    than a webhook may have, and it is not parsed as a form. Registering it makes `pay` what
    `get_payport` gives in that application, and closes it when the process ends. An extension that
    checks for CSRF has to leave it alone: `csrf.exempt(blueprint)` in Flask-WTF.

    Args:
        pay: The client.
        path: The rule of its URL.
        process: Whether what was received is processed before the answer, for applications
            without a worker. Handlers then have the provider's time-out to be done in. A failure
            changes nothing about the answer: the delivery is due again later.
        provider: The name of the provider that posts here, where the client has several: each has
            an endpoint of its own.
    """
    blueprint = Blueprint("payport" if provider is None else f"payport-{provider}", __name__)

    def webhooks() -> Response:
        try:
            receipt = pay.webhooks.receive(
                body=_body(), headers=dict(request.headers), url=request.url, provider=provider
            )
        except HTTPException:
            raise  # the sender hung up, or sent what is no HTTP
        except Exception as error:  # noqa: BLE001 - whatever it is, its details stay here
            return _response(answer_to(error))
        if process:
            _process(pay)
        return _response(answer_from(receipt))

    blueprint.add_url_rule(path, "webhooks", webhooks, methods=["POST"])

    def keep(state: BlueprintSetupState) -> None:
        state.app.extensions[_EXTENSION] = pay

    blueprint.record_once(keep)
    _close_at_exit(pay)
    return blueprint


def mount_webhooks(
    app: Flask,
    pay: Payport,
    path: str = "/webhooks/payport",
    *,
    process: bool = False,
    provider: str | None = None,
) -> None:
    """Add the endpoint to an application; see `webhooks_blueprint`."""
    app.register_blueprint(webhooks_blueprint(pay, path, process=process, provider=provider))


def get_payport() -> Payport:
    """
    The client of the application that serves this request.

    Raises:
        ConfigurationError: No webhooks were mounted in it.
    """
    pay = current_app.extensions.get(_EXTENSION)
    if not isinstance(pay, Payport):
        raise ConfigurationError(
            "this application has no client: call mount_webhooks(app, pay) where it is made",
            operation="get_payport",
        )
    return pay


def _body() -> bytes:
    """The raw body: as it came, whatever type it says that it has."""
    check_length(request.headers.get("Content-Length"))
    # One more than is allowed: Werkzeug ends a stream at the limit without a word.
    request.max_content_length = MAX_BODY + 1
    try:
        return request.get_data(parse_form_data=False)
    except RequestEntityTooLarge as error:
        raise too_large() from error


def _process(pay: Payport) -> None:
    try:
        pay.webhooks.process_due()
    except PayportError as error:
        answer_to(error)


def _response(answer: Answer) -> Response:
    response = Response(answer.text, answer.status, mimetype="text/plain")
    response.headers.update(answer.headers)
    return response


def _close_at_exit(pay: Payport) -> None:
    """Not by a strong reference: an application that was thrown away takes its client along."""
    kept = weakref.ref(pay)

    def close() -> None:
        client = kept()
        if client is not None:
            client.close()

    atexit.register(close)
