"""JSON schemas of what tools take and give, made from the types, and lean: an assistant's context pays for each byte.

What a tool gives is described as deep as an assistant needs to find its way: its fields, and those of the rows in
it. Below that it is data, whose form `--json` has too. Every answer is converted to its type before it leaves, so it
is what the schema says.
"""

from typing import Any

import msgspec

DEEP = 2  # records inside each other that are described field by field
UNSAID = (("default", None), ("default", ""))
_NOISE = frozenset({"title", "default", "description"})


def output_schema(type_: type[msgspec.Struct]) -> dict[str, Any]:
    """Of an answer: an object with the fields of `type_`, and `next` of every answer; `notes` come when needed."""
    (root,), parts = msgspec.json.schema_components([type_], ref_template="{name}")
    schema = _lean(root, parts, DEEP)
    schema["properties"]["next"] = {"type": "array", "items": {"type": "string"}}
    schema["required"] = [*schema.get("required", ()), "next"]
    return schema


def input_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """What pydantic makes of arguments, said shortly: no titles; what may be left out is no choice with null.

    The patterns are not told: who breaks one learns it from the error, and a model is only read them again and again.
    """
    kept = _short(schema)
    assert isinstance(kept, dict)
    kept.setdefault("properties", {})
    return kept


def _lean(schema: dict[str, Any], parts: dict[str, Any], deep: int) -> dict[str, Any]:
    if "$ref" in schema:
        found = parts[schema["$ref"]]
        if found.get("type") != "object":
            return _lean(found, parts, deep)
        return _lean(found, parts, deep - 1) if deep else {"type": "object"}
    if any_of := schema.get("anyOf"):
        return _either([_lean(one, parts, deep) for one in any_of])
    lean = {key: value for key, value in schema.items() if key not in _NOISE}
    if "properties" in lean:
        lean["properties"] = {name: _lean(one, parts, deep) for name, one in lean["properties"].items()}
        if deep < DEEP - 1:
            lean.pop("required", None)  # of rows: their fields speak for themselves
    for inner in ("items", "additionalProperties"):
        if isinstance(lean.get(inner), dict):
            lean[inner] = _lean(lean[inner], parts, deep)
            if not lean[inner].get("properties"):  # of plain things: the name of the field says which
                lean.pop(inner)
    lean.pop("prefixItems", None)
    return lean


def _either(ways: list[dict[str, Any]]) -> dict[str, Any]:
    """One of several: of plain types in the short spelling."""
    if all(set(way) == {"type"} and isinstance(way["type"], str) for way in ways):
        return {"type": [way["type"] for way in ways]}
    return {"anyOf": ways}


def _short(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_short(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    ways = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(ways) == 1:
        schema = {key: value for key, value in schema.items() if key != "anyOf"} | ways[0]
    kept = {key: value for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
    kept = {key: value for key, value in kept.items() if key != "pattern" and (key, value) not in UNSAID}
    return {
        key: {name: _short(one) for name, one in value.items()} if key == "properties" else _short(value)
        for key, value in kept.items()
    }
