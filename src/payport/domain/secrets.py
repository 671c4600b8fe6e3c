"""
Keeps keys and provider payloads out of sight: `Secret` for keys, `Sealed` for payloads.

Both print as a placeholder, have no `__dict__` to list, and are not dataclasses, so `asdict` finds
no fields in them. They protect against accidents (a log line, a traceback with locals, a pickle in
a cache, a row) and not against code in the same process that means to read them: it can call
`reveal()` and so can an attacker who already runs there.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, TypeVar, cast, final

from pydantic_core import core_schema

from payport.domain.errors import ConfigurationError, InvalidRequest

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

__all__ = ["NOTHING", "Sealed", "Secret", "freeze"]

T = TypeVar("T")

#: Deeper than any provider's payload, and far from Python's recursion limit.
_DEEPEST: Final = 64


@final
class Secret:
    """
    A key or signing secret that cannot be printed, compared to text, copied out or pickled.

    Two secrets are equal when their texts are, compared in constant time; a secret never equals a
    plain `str`, so nobody writes the slow comparison by mistake.

    Args:
        text: The key. Surrounding whitespace is refused: it is a copying mistake that a provider
            answers with a puzzling authentication error.

    Raises:
        ConfigurationError: The text is not a `str`, is empty, or has whitespace around it.
    """

    # A closure and not the text: what lists attributes, as debuggers do, finds a function.
    __slots__ = ("__text",)
    __text: Callable[[], str]

    def __init__(self, text: str) -> None:
        problem = _problem_with(text)
        if problem is not None:
            del text  # so that a traceback with local variables does not show it
            raise ConfigurationError(problem)
        object.__setattr__(self, "_Secret__text", lambda: text)

    def reveal(self) -> str:
        """Return the text. Call it where the text is used, and keep no variable that holds it."""
        return self.__text()

    def __repr__(self) -> str:
        return "<secret>"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__text().encode(), other.__text().encode())

    def __hash__(self) -> int:
        return hash((Secret, self.__text()))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Secret cannot be changed")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __bytes__(self) -> NoReturn:
        raise TypeError("a Secret does not turn into bytes: call reveal() where it is used")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is never pickled: give each process its own configuration")


def _problem_with(text: object) -> str | None:
    # Takes any object: callers without a type checker pass None from os.environ.get().
    if not isinstance(text, str):
        return f"A secret has to be text, not {type(text).__name__}. Is it configured?"
    if not text or text != text.strip():
        return "A secret is empty or has whitespace around it. Copy it from the provider again."
    return None


@final
class Sealed(Generic[T]):
    """
    Something from a provider that may hold tokens or personal data, carried but never shown.

    A sealed value does not count in comparisons: all are equal, so two facts that differ only in
    the payload they came from are the same fact. It does not leave the process either: a pickle or
    a dump of it is empty, and `value` is then None.
    """

    __slots__ = ("value",)

    #: What was sealed, or None after the value left its process.
    value: T | None

    def __init__(self, value: T | None = None) -> None:
        object.__setattr__(self, "value", value)

    def __repr__(self) -> str:
        return "<sealed>"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        return True if isinstance(other, Sealed) else NotImplemented

    def __hash__(self) -> int:
        return hash(Sealed)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Sealed value cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Sealed value cannot be changed")

    def __copy__(self) -> Sealed[T]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Sealed[T]:
        # Within the process the value stays: dataclasses.replace() and friends must not lose it.
        return self

    def __reduce__(self) -> tuple[type[Sealed[T]], tuple[()]]:
        return Sealed, ()

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Validate from a `Sealed` or None; dump as None."""
        empty = core_schema.no_info_after_validator_function(_empty, core_schema.none_schema())
        return core_schema.json_or_python_schema(
            json_schema=empty,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(Sealed), empty]),
            serialization=core_schema.plain_serializer_function_ser_schema(
                _nothing, return_schema=core_schema.none_schema()
            ),
        )


#: Seals nothing. One is enough: it cannot be changed, and every fact without a payload holds it.
NOTHING: Final[Sealed[Any]] = Sealed(None)


def _empty(_: None) -> Sealed[Any]:
    return Sealed()


def _nothing(_: Sealed[Any]) -> None:
    return None


def freeze(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """
    Copy JSON-like data into data that nobody can change.

    Mappings become read-only, lists become tuples, sets become frozensets and bytearrays become
    bytes, at every depth. Everything else is kept as it is. The result cannot be pickled, which
    suits payloads: seal them.

    Raises:
        InvalidRequest: The data is nested more than 64 deep, or contains itself.
    """
    return MappingProxyType({key: _frozen(item, 1) for key, item in value.items()})


def _frozen(value: object, depth: int) -> object:
    if depth > _DEEPEST:
        raise InvalidRequest(f"The data is nested more than {_DEEPEST} deep. Pass flatter data.")
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, object]", value)
        return MappingProxyType({key: _frozen(item, depth + 1) for key, item in mapping.items()})
    if isinstance(value, bytearray):
        return bytes(value)
    if isinstance(value, list | tuple):
        items = cast("Sequence[object]", value)
        return tuple(_frozen(item, depth + 1) for item in items)
    if isinstance(value, set):
        return frozenset(cast("set[object]", value))
    return value
