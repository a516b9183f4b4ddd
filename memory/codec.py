"""How records become columns and come back: JSON, packed numbers, texts by hash.

JSON columns come back exactly, with two habits that plain JSON lacks: numbers that are not finite are
written as `{"$float": "nan" | "inf" | "-inf"}` (SQLite's JSON functions refuse bare `NaN`), and lone
surrogates are written as `\\udXXX` escapes. Tuples come back as lists.

Plain text columns have no escapes, so a lone surrogate in an answer (it has no UTF-8 form, and no reader
could open the row) is replaced by the six characters `\\udXXX`. The token ids beside it stay exact.
"""

import hashlib
import json
import math
import struct
from collections.abc import Sequence
from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")


def to_json(value: Any) -> str:
    """A record or plain data as JSON text that SQLite's JSON functions can read.

    Raises:
        TypeError: a value in it has no JSON form; the message names its type.
    """
    plain = msgspec.to_builtins(value)
    try:
        text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:  # a number that is not finite; rare, so the walk happens only here
        text = json.dumps(_tag(plain), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return to_text(text)  # inside a JSON string the replacement is JSON's own escape, so nothing is lost


@overload
def from_json(text: str) -> Any: ...
@overload
def from_json(text: str, kind: type[T]) -> T: ...
def from_json(text: str, kind: Any = Any) -> Any:
    """What `to_json` was given, as `kind`."""
    plain = json.loads(text, object_hook=_untag)
    return plain if kind is Any else msgspec.convert(plain, kind)


def _tag(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(value)}
    if isinstance(value, dict):
        return {key: _tag(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_tag(inner) for inner in value]
    return value


def _untag(found: dict[str, Any]) -> Any:
    if len(found) == 1 and found.get("$float") in ("nan", "inf", "-inf"):
        return float(found["$float"])
    return found


def to_text(text: str) -> str:
    """The text in a form that has UTF-8 bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace").decode()
    return text


def text_hash(text: str) -> bytes:
    """What the text is stored under: 16 bytes of BLAKE2b."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def pack_ids(ids: Sequence[int]) -> bytes:
    """Token ids as little-endian uint32."""
    return struct.pack(f"<{len(ids)}I", *ids)


def unpack_ids(blob: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(blob) // 4}I", blob)


def pack_logprobs(logprobs: Sequence[float]) -> bytes:
    """Log-probabilities as little-endian float32, the precision that engines compute them in."""
    return struct.pack(f"<{len(logprobs)}f", *logprobs)


def unpack_logprobs(blob: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(blob) // 4}f", blob)
