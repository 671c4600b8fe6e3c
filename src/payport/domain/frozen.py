"""A read-only mapping of text to text that can be compared, hashed, pickled and stored."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping
from typing import TYPE_CHECKING, Any

from pydantic_core import core_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

__all__ = ["EMPTY", "FrozenMapping"]


class FrozenMapping(Mapping[str, str]):
    """
    Metadata that nobody can change behind an aggregate's back.

    `types.MappingProxyType` would do, but cannot be pickled.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, str] | None = None) -> None:
        self._items: dict[str, str] = dict(items or {})

    def __getitem__(self, key: str) -> str:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def items(self) -> ItemsView[str, str]:
        """The pairs; a view of the dict itself, because the inherited one looks each value up."""
        return self._items.items()

    def keys(self) -> KeysView[str]:
        """The names; a view of the dict itself too, which `dict(...)` and `{**...}` ask for."""
        return self._items.keys()

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        texts = core_schema.dict_schema(core_schema.str_schema(), core_schema.str_schema())
        return core_schema.no_info_after_validator_function(
            cls,
            core_schema.union_schema(
                [
                    core_schema.chain_schema([core_schema.is_instance_schema(cls), _TO_DICT]),
                    texts,
                ]
            ),
            serialization=core_schema.plain_serializer_function_ser_schema(dict),
        )


_TO_DICT = core_schema.no_info_plain_validator_function(dict)

#: No metadata.
EMPTY = FrozenMapping()
