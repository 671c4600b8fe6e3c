"""Pages of lists, filters and searches: which objects, in which order, and how many at once."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from payport.testing.stripe_simulator.errors import Doc, invalid

__all__ = ["matcher", "page", "search_page", "within"]

_FEWEST, _USUAL, _MOST = 1, 10, 100

_METADATA: Final = r"metadata\[(?P<mark>['\"])(?P<key>[^'\"]+)(?P=mark)\]"
_CLAUSE: Final = re.compile(
    rf"(?P<not>-)?(?:{_METADATA}|(?P<field>\w+))\s*(?P<how>>=|<=|:|~|>|<)\s*"
    r"(?:null|(?P<quote>['\"])(?P<text>(?:\\.|(?!(?P=quote)).)*)(?P=quote)|(?P<number>-?[0-9]+))"
)
_JOIN: Final = re.compile(r"\s+(AND|OR)\s+|\s+")
_COMPARE: Final[Mapping[str, Callable[[int, int], bool]]] = {
    ">": lambda has, wanted: has > wanted,
    "<": lambda has, wanted: has < wanted,
    ">=": lambda has, wanted: has >= wanted,
    "<=": lambda has, wanted: has <= wanted,
}
_NUMBERS: Final = frozenset({"amount", "created"})
_TEXTS: Final = frozenset({"currency", "customer", "status"})

Match = Callable[[Doc], bool]


def page(
    items: Sequence[Any],
    params: Doc,
    url: str,
    *,
    ref: Callable[[Any], str],
    write: Callable[[Any], Doc],
) -> Doc:
    """
    A page of a list.

    Args:
        items: All that match, newest first.
        ref: The id of one, for cursors.
        write: The document of one.

    Raises:
        ApiError: The limit is none, or the cursor is of nothing.
    """
    limit = _limit(params)
    refs = [ref(item) for item in items]
    after, before = params.get("starting_after"), params.get("ending_before")
    if before is not None:
        end = _at(refs, before, "ending_before")
        start = max(0, end - limit)
        more = start > 0
    else:
        start = 0 if after is None else _at(refs, after, "starting_after") + 1
        end = min(len(items), start + limit)
        more = end < len(items)
    data = [write(item) for item in items[start:end]]
    return {"object": "list", "data": data, "has_more": more, "url": url}


def _limit(params: Doc) -> int:
    limit: int = params.get("limit", _USUAL)
    if limit < _FEWEST:
        message = f"This value must be greater than or equal to {_FEWEST}."
        raise invalid(message, "parameter_invalid_integer", param="limit")
    if limit > _MOST:
        message = f"This value must be less than or equal to {_MOST} (it currently is '{limit}')."
        raise invalid(message, "parameter_invalid_integer", param="limit")
    return limit


def _at(refs: Sequence[str], cursor: str, param: str) -> int:
    try:
        return refs.index(cursor)
    except ValueError:
        message = f"No such object: '{cursor}'"
        raise invalid(message, "resource_missing", param=param) from None


def within(moment: int, bounds: Mapping[str, int] | None) -> bool:
    """Whether a moment is within `created`'s bounds."""
    if bounds is None:
        return True
    compare = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    return all(_COMPARE[compare[bound]](moment, limit) for bound, limit in bounds.items())


def search_page(items: Iterable[Doc], params: Doc, url: str) -> Doc:
    """
    A page of a search's result; pages are numbered by an opaque text.

    Raises:
        ApiError: The limit or the page is none.
    """
    limit = _limit(params)
    start = _start(params.get("page"))
    found = list(items)
    end = start + limit
    more = end < len(found)
    following = base64.urlsafe_b64encode(str(end).encode()).decode() if more else None
    return {
        "object": "search_result",
        "data": found[start:end],
        "has_more": more,
        "next_page": following,
        "url": url,
    }


def _start(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token.encode()))
    except ValueError:
        raise invalid("Invalid page.", param="page") from None


def matcher(query: str) -> Match:
    """
    What a query asks for: clauses such as `metadata['order']:'1'`, `status:'succeeded'`,
    `amount>=100`, joined by AND or by OR.

    Raises:
        ApiError: It is not understood.
    """
    clauses: list[Match] = []
    joins: set[str] = set()
    at = 0
    while True:
        match = _CLAUSE.match(query, at)
        if match is None:
            raise _misunderstood(query)
        clauses.append(_clause(match, query))
        at = match.end()
        if at == len(query.rstrip()):
            break
        join = _JOIN.match(query, at)
        if join is None:
            raise _misunderstood(query)
        joins.add(join[1] or "AND")
        at = join.end()
    if len(joins) > 1:
        raise invalid("You may not mix AND and OR in one search query.", param="query")
    combine = any if joins == {"OR"} else all
    return lambda document: combine(clause(document) for clause in clauses)


def _misunderstood(query: str) -> Exception:
    message = (
        "We were unable to parse your search query. Try using the format"
        f' `metadata["key"]:"value"`. The query was: {query}'
    )
    return invalid(message, param="query")


def _clause(match: re.Match[str], query: str) -> Match:
    key, field, how = match["key"], match["field"], match["how"]
    text = match["text"] if match["text"] is not None else match["number"]
    if text is not None:
        text = text.replace("\\'", "'").replace('\\"', '"')
    if how in _COMPARE:
        if field not in _NUMBERS or text is None or not text.lstrip("-").isdecimal():
            raise _misunderstood(query)
        limit, compare = int(text), _COMPARE[how]
        plain: Match = lambda document: compare(document[field], limit)  # noqa: E731
    elif key is not None:
        plain = _on_metadata(key, text, how)
    elif field in _TEXTS or field in _NUMBERS:
        plain = _on_field(field, text)
    else:
        raise invalid(f"Field `{field}` is an unsupported search field.", param="query")
    if match["not"]:
        return lambda document: not plain(document)
    return plain


def _on_metadata(key: str, text: str | None, how: str) -> Match:
    def matches(document: Doc) -> bool:
        has: str | None = document["metadata"].get(key)
        if text is None or has is None:
            return has is text
        return text.lower() in has.lower() if how == "~" else has == text

    return matches


def _on_field(field: str, text: str | None) -> Match:
    def matches(document: Doc) -> bool:
        has = document[field]
        return has is None if text is None else str(has).lower() == text.lower()

    return matches
