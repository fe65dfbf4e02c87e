"""The OpenAPI document turned into what a page can show: operations by noun, and shapes as tables."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Member:
    """A parameter, or a member of an object; `type` in words."""

    name: str
    type: str
    required: bool
    about: str


@dataclass(frozen=True, slots=True)
class Shape:
    """An object and its members."""

    name: str
    about: str
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation."""

    id: str
    method: str
    #: the path of the server that `path` is relative to
    prefix: str
    path: str
    summary: str
    description: tuple[str, ...]
    scope: str
    parameters: tuple[Member, ...]
    #: media type and what it holds, in words
    bodies: tuple[tuple[str, str], ...]
    #: status, what it means, and what it holds
    answers: tuple[tuple[str, str, str], ...]


def read_operations(document: Mapping[str, Any]) -> dict[str, list[Entry]]:
    """Every operation, by tag, in the document's order."""
    groups: dict[str, list[Entry]] = {}
    for path, item in document["paths"].items():
        prefix = urlsplit(item.get("servers", document["servers"])[0]["url"]).path
        for method, operation in item.items():
            if method != "servers":
                entry = _entry(method.upper(), prefix, path, operation)
                groups.setdefault(operation["tags"][0], []).append(entry)
    return groups


def read_shapes(document: Mapping[str, Any]) -> list[Shape]:
    """Every shape of the document's components."""
    return [
        Shape(name, schema.get("description", ""), tuple(_members(schema)))
        for name, schema in document["components"]["schemas"].items()
    ]


def read_webhooks(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every type of webhook, and what it says."""
    return [(name, item["post"]["summary"]) for name, item in document["webhooks"].items()]


def in_words(schema: Mapping[str, Any]) -> str:
    """A schema as a few words: `list of ConnectionAnswer`, `string (uuid) or null`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(map(json.dumps, schema["enum"]))
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " or ".join(in_words(part) for part in schema[choice])
    if schema.get("type") == "array":
        return f"list of {in_words(schema.get('items', {}))}"
    kinds = schema.get("type", "anything")
    named = kinds if isinstance(kinds, str) else " or ".join(kinds)
    return f"{named} ({schema['format']})" if "format" in schema else named


def _entry(method: str, prefix: str, path: str, operation: Mapping[str, Any]) -> Entry:
    content = operation.get("requestBody", {}).get("content", {})
    return Entry(
        id=operation["operationId"],
        method=method,
        prefix=prefix,
        path=path,
        summary=operation["summary"],
        description=tuple(part for part in operation["description"].split("\n\n") if part),
        scope=" ".join(scope for way in operation["security"] for scope in way["api_key"]),
        parameters=tuple(_parameters(operation["parameters"])),
        bodies=tuple((media, in_words(part["schema"])) for media, part in content.items()),
        answers=tuple(_answers(operation["responses"])),
    )


def _parameters(parameters: Sequence[Mapping[str, Any]]) -> Iterable[Member]:
    for part in parameters:
        yield Member(part["name"], in_words(part["schema"]), part["required"], part.get("description", ""))


def _answers(responses: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    for status, answer in responses.items():
        held = [in_words(part["schema"]) for part in answer.get("content", {}).values()]
        yield status, answer["description"], held[0] if held else ""


def _members(schema: Mapping[str, Any]) -> Iterable[Member]:
    required = schema.get("required", ())
    for name, part in schema.get("properties", {}).items():
        yield Member(name, in_words(part), name in required, part.get("description", ""))
