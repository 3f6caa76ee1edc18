"""JSON schemas of what the inspector writes, made from the same dataclasses as the documents."""

from __future__ import annotations

import types
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from .model import Description
from .snapshot import DEVICE_SCHEMA, SNAPSHOT_SCHEMA, VERSION

__all__ = ["device_schema", "snapshot_schema"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_HEX = {"type": "string", "pattern": "^0x[0-9a-f]+$"}


def device_schema() -> dict[str, Any]:
    """The document of ``show --json``."""
    definitions: dict[str, Any] = {}
    body = _object(Description, definitions)
    body["properties"] = {
        "schema": {"const": DEVICE_SCHEMA},
        "version": {"const": VERSION},
        "release": {"type": "string"},
        **body["properties"],
    }
    body["required"] = ["schema", "version", *body["required"]]
    return {"$schema": _DIALECT, "title": "A device as uvirtio show tells it", **body, "$defs": definitions}


def snapshot_schema() -> dict[str, Any]:
    """The document of ``dump``."""
    definitions: dict[str, Any] = {}
    definitions["Description"] = _object(Description, definitions)
    return {
        "$schema": _DIALECT,
        "title": "A snapshot of uvirtio dump",
        "type": "object",
        "required": ["schema", "version", "devices"],
        "properties": {
            "schema": {"const": SNAPSHOT_SCHEMA},
            "version": {"const": VERSION},
            "release": {"type": "string"},
            "taken": {"type": "string", "description": "UTC, ISO 8601"},
            "machine": {"type": "object", "additionalProperties": {"type": "string"}},
            "devices": {"type": "array", "items": {"$ref": "#/$defs/Description"}},
        },
        "$defs": definitions,
    }


def _object(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    properties = {item.name: _field(item, hints[item.name], definitions) for item in fields(kind)}
    required = [item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING]
    return {"type": "object", "required": required, "properties": properties}


def _field(item: Field[Any], hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if item.metadata.get("hexadecimal"):
        return {"anyOf": [_HEX, {"type": "null"}]} if type(None) in get_args(hint) else dict(_HEX)
    return _type(hint, definitions)


def _type(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    plain = {bool: "boolean", int: "integer", str: "string", type(None): "null"}
    if hint in plain:
        return {"type": plain[hint]}
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_type(option, definitions) for option in get_args(hint)]}
    if origin is tuple:
        return {"type": "array", "items": _type(get_args(hint)[0], definitions)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _type(get_args(hint)[1], definitions)}
    assert is_dataclass(hint)
    name = hint.__name__  # type: ignore[union-attr]
    if name not in definitions:
        definitions[name] = {}
        definitions[name] = _object(hint, definitions)
    return {"$ref": f"#/$defs/{name}"}
