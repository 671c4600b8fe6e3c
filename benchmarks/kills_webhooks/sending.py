"""
The provider's side: events posted to the endpoint until each is acknowledged, as providers do.

What is not answered with 2xx is sent again, and so are some that were: at once, so that both are on
their way together, or later. It knows what it was answered, and nothing of what is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from slots import QuickClock, Shared

from payport.testing.stripe_simulator import SIGNING_SECRET

__all__ = ["PATH", "Event", "Sent", "send"]

PATH: Final = "/webhooks/payport"
SENDERS: Final = 8
#: Of those that were acknowledged, so many are sent once more; and so many are sent twice at once.
_AGAIN: Final = 0.2
_TWICE: Final = 0.1
_PAUSE: Final = 0.002
_PATIENCE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Event:
    """What a provider says once: its id, the order that it is about, and the body."""

    id: str
    reference: str
    body: bytes


@dataclass(slots=True)
class Sent:
    """
    What came of it.

    Attributes:
        deliveries: How many requests were made.
        answers: How many of them got which answer; "none" is no answer.
        acknowledged: The ids of those events that were answered with 2xx.
    """

    deliveries: int = 0
    answers: dict[str, int] = field(default_factory=dict)
    acknowledged: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Sent:
        """What `send` wrote down."""
        return cls(**json.loads(path.read_text()))


def send(
    events: Sequence[Event], port: int, *, shared: Shared, kills: int, clock: QuickClock, told: Path
) -> None:
    """Send all of them, as fast as the day goes on, and write down what came of it."""
    line = _Line(events, shared, kills)
    senders = [threading.Thread(target=_post_all, args=(line, port, clock)) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    sent = Sent(sum(line.answers.values()), dict(line.answers), sorted(line.acknowledged))
    told.write_text(
        json.dumps(
            {name: getattr(sent, name) for name in ("deliveries", "answers", "acknowledged")}
        )
    )


class _Line:
    """What is to be sent next, by whom it may be."""

    def __init__(self, events: Sequence[Event], shared: Shared, kills: int) -> None:
        self._events = events
        self._shared = shared
        self._kills = kills
        self._lock = threading.Lock()
        self._new = 0
        self._again: list[Event] = []
        self._under_way = 0
        self._random = random.Random()  # noqa: S311 - nothing secret
        self.acknowledged: set[str] = set()
        self.answers: Counter[str] = Counter()

    def take(self) -> Event | None:
        """The next one, now or soon; None where there is none left."""
        while True:
            with self._lock:
                taken = self._next()
                if taken is not None:
                    self._under_way += 1
                    return taken
                if self._new == len(self._events) and not self._again and not self._under_way:
                    return None
            time.sleep(_PAUSE)

    def _next(self) -> Event | None:
        kills, closing = self._shared.progress
        if self._again and (closing or self._random.random() < 0.5):  # noqa: PLR2004 - half of it
            return self._again.pop(self._random.randrange(len(self._again)))
        allowed = len(self._events) if closing else len(self._events) * kills // self._kills + 4
        if self._new >= min(allowed, len(self._events)):
            return self._again.pop() if self._again else None
        event = self._events[self._new]
        self._new += 1
        if self._random.random() < _TWICE:
            self._again.append(event)
        return event

    def answered(self, event: Event, status: int | None) -> None:
        """What a delivery got."""
        with self._lock:
            self._under_way -= 1
            self.answers["none" if status is None else str(status)] += 1
            if status is None or not http.client.OK <= status < http.client.MULTIPLE_CHOICES:
                self._again.append(event)
                return
            first = event.id not in self.acknowledged
            self.acknowledged.add(event.id)
            if first and self._random.random() < _AGAIN:
                self._again.append(event)


def _post_all(line: _Line, port: int, clock: QuickClock) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    while (event := line.take()) is not None:
        status = None
        try:
            connection.request("POST", PATH, event.body, _headers(event.body, clock))
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        except (OSError, http.client.HTTPException):
            connection.close()  # the receiver is dead; its successor takes the next connection
        line.answered(event, status)
    connection.close()


def _headers(body: bytes, clock: QuickClock) -> dict[str, str]:
    at = str(int(clock.now().timestamp()))
    mac = hmac.new(SIGNING_SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return {"Stripe-Signature": f"t={at},v1={mac.hexdigest()}", "Content-Type": "application/json"}
