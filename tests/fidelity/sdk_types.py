"""
Whether what is sent fits the SDK's own types of parameters, the contract of the pinned version.

A form knows texts only: a text fits `int` if it is digits, `bool` if it is true or false, and a
literal if it is one of its words. Where the types allow any `str` beside words, they leave room for
later versions; only the words fit.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Union, get_args, get_origin

import stripe
import typing_extensions
from stripe import params

__all__ = ["TYPES", "misfits"]

#: The type of the parameters of each request that payport makes, by method and path.
TYPES = {
    "POST /v1/payment_intents": params.PaymentIntentCreateParams,
    "POST /v1/payment_intents/{id}/confirm": params.PaymentIntentConfirmParams,
    "POST /v1/payment_intents/{id}/capture": params.PaymentIntentCaptureParams,
    "POST /v1/payment_intents/{id}/cancel": params.PaymentIntentCancelParams,
    "POST /v1/refunds": params.RefundCreateParams,
    "GET /v1/payment_intents/{id}": params.PaymentIntentRetrieveParams,
    "GET /v1/payment_intents": params.PaymentIntentListParams,
    "GET /v1/payment_intents/search": params.PaymentIntentSearchParams,
    "GET /v1/refunds": params.RefundListParams,
    "GET /v1/refunds/{id}": params.RefundRetrieveParams,
    "GET /v1/disputes": params.DisputeListParams,
    "GET /v1/account": params.AccountRetrieveCurrentParams,
}
#: What goes into headers, although it is written among the parameters.
_OPTIONS = frozenset(stripe.RequestOptions.__annotations__)


def misfits(fields: Mapping[str, Any], shape: Any, at: str = "") -> Iterator[str]:
    """
    What of a form does not fit a TypedDict of the SDK's, however deep.

    Args:
        fields: Texts, lists, and mappings of them.
    """
    kinds = shape.__annotations__
    for name in sorted(shape.__required_keys__ - fields.keys()):
        yield f"{at}{name} is required"
    for name, value in fields.items():
        if name not in kinds or name in _OPTIONS:
            yield f"{at}{name} is unknown"
        elif not _fits(value, _resolved(kinds[name], shape)):
            inner = _inner(value, _resolved(kinds[name], shape))
            found = list(misfits(value, inner, f"{at}{name}.")) if inner is not None else []
            yield from found or [f"{at}{name} cannot be {value!r}"]


def _resolved(annotation: Any, shape: Any) -> Any:
    """An annotation without NotRequired and names that wait to be looked up."""
    while get_origin(annotation) in {typing.NotRequired, typing_extensions.NotRequired}:
        (annotation,) = get_args(annotation)
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        return eval(annotation, vars(sys.modules[shape.__module__]))  # noqa: S307 - the SDK's own
    return annotation


def _alternatives(kind: Any) -> tuple[Any, ...]:
    """A union's members, with the room for later words taken out."""
    if get_origin(kind) not in {Union, types.UnionType}:
        return (kind,)
    members = get_args(kind)
    words = [get_args(one) for one in members if get_origin(one) is Literal]
    if any(word for told in words for word in told):
        members = tuple(one for one in members if one is not str)
    return tuple(inner for one in members for inner in _alternatives(one))


def _fits(value: Any, kind: Any) -> bool:
    return any(_fits_one(value, one) for one in _alternatives(kind))


def _fits_one(value: Any, kind: Any) -> bool:
    origin = get_origin(kind)
    if isinstance(value, str):
        if origin is Literal:
            return value in get_args(kind)
        if kind is bool:
            return value in {"true", "false"}
        return kind is str or (kind is int and value.isdecimal())
    if isinstance(value, list):
        return origin is list and all(_fits(one, get_args(kind)[0]) for one in value)
    if origin is dict:
        return all(_fits(one, get_args(kind)[1]) for one in value.values())
    return typing_extensions.is_typeddict(kind) and not any(misfits(value, kind))


def _inner(value: Any, kind: Any) -> Any:
    """The TypedDict that a mapping was meant for, to tell what of it is wrong."""
    found = [one for one in _alternatives(kind) if typing_extensions.is_typeddict(one)]
    return found[0] if isinstance(value, dict) and len(found) == 1 else None
