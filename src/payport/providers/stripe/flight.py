"""
One request on its way through the SDK.

The SDK builds the request around the body, which is the one that was rendered and journaled; what
it is about to write is compared with the rest of that, and nothing else is written. It is told only
what its exceptions need of an answer, so that neither its logs nor its exceptions hold a client's
secret, and no key is left in a traceback.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import stripe

from payport.domain.sensitive import redact
from payport.providers.exchange import Request, Response, TransportError
from payport.providers.http_writing import Outgoing, forget_frames
from payport.providers.stripe.errors import Refused, document_from, error_in
from payport.providers.stripe.settings import Settings
from payport.providers.stripe.spec import API_VERSION

__all__ = ["AwaitedFlight", "BlockingFlight", "silence_telemetry"]

#: Headers that the SDK takes as options; it would add its own beside them otherwise.
_OPTIONS: Final[Mapping[str, str]] = {
    "idempotency-key": "idempotency_key",
    "stripe-account": "stripe_account",
    "stripe-version": "stripe_version",
}
#: What of an error the SDK is told. Not the objects in it: they hold client secrets.
_TOLD: Final = ("type", "code", "decline_code", "param", "message", "doc_url")
_OK: Final = range(200, 300)


def silence_telemetry() -> None:
    """
    Turn off the SDK's telemetry, in this process: it would write an id to the home directory, and
    send it. The SDK has no switch for a single client.
    """
    stripe.enable_telemetry = False


class _Sdk(Protocol):
    """As much of `stripe.StripeClient` as is used, with types."""

    def raw_request(self, method_: str, url_: str, **params: Any) -> object: ...
    def raw_request_async(self, method_: str, url_: str, **params: Any) -> Awaitable[object]: ...


class _Flight(stripe.HTTPClient):
    """What both colours of a flight are alike in: all but the waiting."""

    name = "payport"

    def __init__(self, request: Request, settings: Settings) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType] - the SDK's
        self._request = request
        self._settings = settings
        self._landed: Response | None = None

    def _sdk(self) -> _Sdk:
        """A client for this request alone: it costs some microseconds, and shares no state."""
        return stripe.StripeClient(
            self._settings.api_key.reveal(),
            stripe_version=API_VERSION,
            base_addresses={"api": self._settings.base_url},
            max_network_retries=0,
            http_client=self,
        )

    def _asked(self) -> tuple[str, str]:
        return self._request.method.lower(), self._request.target

    def _options(self) -> dict[str, Any]:
        """
        What the SDK takes beside method and path. Not the form: it would only be written anew, and
        what counts is the one that was rendered.
        """
        options: dict[str, Any] = {}
        headers: dict[str, str] = {}
        for name, value in self._request.headers.items():
            option = _OPTIONS.get(name.lower())
            if option is not None:
                options[option] = value
            else:
                headers[name] = value
        return {**options, "headers": headers}

    def _checked(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any
    ) -> Outgoing:
        """
        What the SDK is about to write, with the body that was rendered.

        Raises:
            TransportError: It is not what was rendered. Nothing is written.
        """
        request = self._request
        outgoing = Outgoing(
            method=method.upper(), url=url, headers=dict(headers or {}), body=request.body
        )
        written = {name.lower(): value for name, value in outgoing.headers.items()}
        asked = {name.lower(): value for name, value in request.headers.items()}
        ours = {name: text for name, text in written.items() if name in _OPTIONS or name in asked}
        rendered = (request.method, self._settings.base_url + request.target, asked)
        # It was given no form, so it has no body of its own to write.
        if post_data or (outgoing.method, outgoing.url, ours) != rendered:
            message = (
                "the stripe package would write another request than the one that was rendered. "
                "Nothing was sent: use a version of it that payport was tested with."
            )
            raise TransportError(message, sent=False)
        return outgoing

    def _told(self, response: Response) -> tuple[str, int, dict[str, str]]:
        """What the SDK is told of an answer: enough to make its exception of, and no secrets."""
        self._landed = response
        if response.status in _OK:
            return "{}", response.status, {}
        headers = dict(response.headers)
        error = error_in(document_from(response))
        if error is None:
            return "", response.status, headers
        shown = {name: redact(text) for name in _TOLD if isinstance(text := error.get(name), str)}
        return json.dumps({"error": shown}), response.status, headers

    def _arrived(self, raised: BaseException | None = None) -> Response:
        """The answer, or what kept it from coming; without frames that hold the key."""
        landed = self._landed
        if raised is None and landed is not None:
            return landed
        if raised is None:
            message = "the stripe package sent nothing. Use a version that payport was tested with."
            raise TransportError(message, sent=False)
        forget_frames(raised)
        if landed is None or not isinstance(raised, stripe.StripeError):
            # As it is: a mistake in a client or in a test is not the network's.
            raise raised
        return Refused(status=landed.status, headers=landed.headers, body=landed.body, cause=raised)


class BlockingFlight(_Flight):
    """
    A request that the caller waits for.

    Args:
        write: Writes what the SDK built, and returns the answer.
    """

    def __init__(
        self, request: Request, settings: Settings, write: Callable[[Outgoing], Response]
    ) -> None:
        super().__init__(request, settings)
        self._write = write

    def fly(self) -> Response:
        """The answer. Raises what `write` raises."""
        try:
            self._sdk().raw_request(*self._asked(), **self._options())
        except BaseException as error:  # noqa: BLE001 - sorted out, without the SDK's frames
            return self._arrived(error)
        return self._arrived()

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        **_usage: Any,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Called by the SDK."""
        return self._told(self._write(self._checked(method, url, headers, post_data)))


class AwaitedFlight(_Flight):
    """The same, awaited."""

    def __init__(
        self,
        request: Request,
        settings: Settings,
        write: Callable[[Outgoing], Awaitable[Response]],
    ) -> None:
        super().__init__(request, settings)
        self._write = write

    async def fly(self) -> Response:
        """The answer. Raises what `write` raises."""
        try:
            await self._sdk().raw_request_async(*self._asked(), **self._options())
        except BaseException as error:  # noqa: BLE001 - sorted out, without the SDK's frames
            return self._arrived(error)
        return self._arrived()

    async def request_async(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        **_usage: Any,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Called by the SDK."""
        response = await self._write(self._checked(method, url, headers, post_data))
        body, status, told = self._told(response)
        return body.encode(), status, told
