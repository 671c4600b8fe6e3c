"""
Takes client secrets out of a webhook's body before it is stored, without parsing it.

A client secret lets whoever holds it act on a payment from a browser, and nobody needs it to read
what a webhook says. Everything else of the body stays as it came, byte by byte.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["REDACTED", "without_client_secrets"]

#: What stands where a client secret was.
REDACTED: Final = b"redacted"


def _spelled(word: str) -> bytes:
    """A pattern for a word inside a JSON string, whose letters may be written as escapes."""
    letters: list[bytes] = []
    for letter in word:
        digits = "".join(f"[{d}{d.upper()}]" if d.isalpha() else d for d in f"{ord(letter):04x}")
        letters.append(rf"(?:{letter}|\\u{digits})".encode())
    return b"".join(letters)


_SECRET: Final = _spelled("client_secret")
#: A letter of a string, as it is or as an escape. Neither alternative begins as the other: linear.
_LETTER: Final = rb'(?:[^"\\]|\\.)'
#: The rest of a string, up to its closing quote: many letters at a step, and none given back.
_REST: Final = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'
#: `"...client_secret": "..."`, as a member of any object.
_MEMBER: Final = re.compile(
    rb'("' + _LETTER + rb"*?" + _SECRET + rb'"\s*:\s*")' + _REST + rb'(")', re.DOTALL
)
#: `...client_secret=...`, in the query of an address.
_PARAMETER: Final = re.compile(_SECRET + rb"=([^&\"\\\s#]+)")

#: Both of them, from the word on, where no letter of it is written as an escape.
_WORD: Final = b"client_secret"
_VALUE: Final = re.compile(_WORD + rb'(?:"\s*:\s*"(' + _REST + rb')"|=([^&"\\\s#]+))', re.DOTALL)


def without_client_secrets(body: bytes) -> bytes:
    """The body with every client secret replaced; the same object where there is none."""
    # One byte is looked for ten times as fast as two, and most bodies hold no escape at all.
    if b"\\" not in body or b"\\u" not in body:
        return _without_plain(body)
    named = _MEMBER.sub(rb"\g<1>" + REDACTED + rb"\g<2>", body)
    return _PARAMETER.sub(lambda m: m[0][: m.start(1) - m.start()] + REDACTED, named)


def _without_plain(body: bytes) -> bytes:
    """The same of a body without escapes: the word stands there as it is, and is found fast."""
    kept: list[bytes] = []
    copied, at = 0, body.find(_WORD)
    while at >= 0:
        found = _VALUE.match(body, at)
        if found is not None:
            group = 1 if found[1] is not None else 2
            kept += (body[copied : found.start(group)], REDACTED)
            copied = found.end(group)
        at = body.find(_WORD, max(copied, at + len(_WORD)))
    return b"".join([*kept, body[copied:]]) if kept else body
