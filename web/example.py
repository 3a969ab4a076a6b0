"""A schema from an example: a good answer's fields and their types, for the description.

The examples in the route table are held against real answers by tests; so is what is made of them.
"""

from __future__ import annotations

import re
from typing import Any

SHA256 = re.compile(r"[0-9a-f]{64}")


class Map(dict[str, Any]):
    """An example of an object with any keys; its values are all like the first one here."""


class Part(dict[str, Any]):
    """An example of an object that may have more fields than these, or not all of them."""


def schema_of(example: Any) -> dict[str, Any]:
    """JSON Schema (2020-12) of what is like ``example``, which is plain JSON.

    Every field of an object may be null: where there is nothing to say, null is said. Where the
    example itself has null, or an empty list, nothing is known of what stands there.
    """
    return _of(example, ())


def _of(example: Any, or_else: tuple[str, ...] = ("null",)) -> dict[str, Any]:
    if example is None:
        return {}
    if isinstance(example, dict):
        return {"type": ["object", *or_else] if or_else else "object", **_fields(example)}
    if isinstance(example, list):
        items = {"items": _of(example[0], ())} if example else {}
        return {"type": ["array", *or_else] if or_else else "array", **items}
    name = {bool: "boolean", int: "integer", float: "number", str: "string"}[type(example)]
    return {"type": [name, *or_else] if or_else else name}


def _fields(example: dict[str, Any]) -> dict[str, Any]:
    if isinstance(example, Map) or (example and all(map(SHA256.fullmatch, example))):
        return {"additionalProperties": _of(next(iter(example.values())))}
    fields = {name: _of(value) for name, value in example.items()}
    if isinstance(example, Part):
        return {"properties": fields}
    return {"properties": fields, "required": sorted(fields), "additionalProperties": False}
