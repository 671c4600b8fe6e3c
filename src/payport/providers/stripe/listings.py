"""
Pages of what Stripe holds, whoever made it, and of what it told: one by one and none left out.

Where a page begins is Stripe's own id of the object before it, so nothing is skipped or told twice
while newer objects come. What a listing proves about an operation is not decided here.
"""

from __future__ import annotations

from payport.domain.errors import WebhookRejected
from payport.domain.facts import Facts
from payport.providers.events import EventsPage, ToldEvent
from payport.providers.exchange import Exchange, Request
from payport.providers.listings import FactsPage
from payport.providers.outcomes import Failure
from payport.providers.stripe import answers
from payport.providers.stripe.errors import document_from, unreadable
from payport.providers.stripe.webhooks import listed

__all__ = ["events_page", "facts_page"]


def facts_page(request: Request, reading: answers.Reading) -> Exchange[FactsPage | Failure]:
    """One page of objects of a kind; a failure where the page or one of them cannot be read."""
    response = yield request
    document = document_from(response)
    page = answers.page_in(response, document)
    if isinstance(page, Failure):
        return page
    items: list[Facts] = []
    for one in page:
        at = answers.now_or(response, answers.created(one))
        outcome = answers.object_answer(response, one, reading, at=at)
        if isinstance(outcome, Failure):
            return outcome
        items.append(outcome.facts)
    return FactsPage(
        items=tuple(items),
        next_cursor=answers.next_page(document),
        request_id=response.headers.get("request-id"),
    )


def events_page(request: Request) -> Exchange[EventsPage | Failure]:
    """One page of events; a failure where the page or one of their envelopes cannot be read."""
    response = yield request
    document = document_from(response)
    page = answers.page_in(response, document)
    if isinstance(page, Failure):
        return page
    items: list[ToldEvent] = []
    for one in page:
        try:
            items.append(listed(one))
        except WebhookRejected as error:
            return unreadable(response, error.with_traceback(None))
    return EventsPage(
        items=tuple(items),
        next_cursor=answers.next_page(document),
        request_id=response.headers.get("request-id"),
    )
