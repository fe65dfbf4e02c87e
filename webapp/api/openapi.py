"""The OpenAPI 3.1 document, written from the same operations that are served."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from webapp.api import event_schemas, webhook_schemas
from webapp.api.operations import Operation
from webapp.api.problems import Problem
from webapp.api.refusals import MEDIA_TYPE

_REF = "#/components/schemas/{model}"
_PATH_PART = re.compile(r"<(?:(\w+):)?(\w+)>")

_PROBLEM_SCHEMA = {
    "type": "object",
    "description": "RFC 9457. `type` is a path on this instance, and a page that explains.",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri", "description": "Names this one answer in our logs."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "A JSON Pointer (RFC 6901) into the body, or a parameter's name.",
                    },
                    "detail": {"type": "string"},
                },
            },
        },
    },
}

_ABOUT = """\
Send events for your users, and see to the accounts they connected.

Every request carries `Authorization: Bearer hp_…`. A key has scopes, and may be bound to one user: then
everything that belongs to others is not found. Refusals are RFC 9457 problems; their `type` is a page that
explains.
"""


def write_document(
    operations: Sequence[Operation], server: str, others: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The whole document; `server` is the address that paths are relative to.

    `others` are path items that no operation of ours stands behind, each with a server of its own.
    """
    models = {model for operation in operations for model in _models(operation)}
    kinds: list[tuple[type[BaseModel], Literal["validation", "serialization"]]]
    kinds = [(model, "serialization") for model in sorted(models, key=lambda model: model.__name__)]
    _, definitions = models_json_schema(kinds, ref_template=_REF, by_alias=False)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(open_path(operation.path), {})[operation.method.lower()] = _describe(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hitchpost", "version": "1", "description": _ABOUT},
        "servers": [{"url": server}],
        "tags": [{"name": tag} for tag in _tags({**paths, **(others or {})})],
        "paths": {**paths, **(others or {})},
        "webhooks": webhook_schemas.describe(),
        "components": {
            "schemas": {
                **event_schemas.SCHEMAS,
                **definitions["$defs"],
                **webhook_schemas.SCHEMAS,
                "Problem": _PROBLEM_SCHEMA,
            },
            "securitySchemes": {
                "api_key": {"type": "http", "scheme": "bearer", "bearerFormat": "hp_<prefix>_<secret>"}
            },
        },
        "security": [{"api_key": []}],
    }


def open_path(path: str) -> str:
    """`/connections/<uuid:connection_id>` as OpenAPI writes it."""
    return _PATH_PART.sub(r"{\2}", path)


def _tags(paths: Mapping[str, Any]) -> Iterable[str]:
    described = (
        operation for item in paths.values() for name, operation in item.items() if name != "servers"
    )
    return dict.fromkeys(tag for operation in described for tag in operation["tags"])


def _models(operation: Operation) -> Iterable[type[BaseModel]]:
    return (model for model in (operation.body, operation.answer) if model is not None)


def _describe(operation: Operation) -> dict[str, Any]:
    summary, description = operation.about
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": summary,
        "description": description,
        "security": [{"api_key": [operation.scope.value]}],
        "parameters": [*_path_parameters(operation), *_query_parameters(operation)],
        "responses": _responses(operation),
    }
    content = operation.takes or _json_content(operation.body)
    if content:
        described["requestBody"] = {"required": True, "content": content}
    return described


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "format": "uuid"} if kind == "uuid" else {"type": "string"},
        }
        for kind, name in _PATH_PART.findall(operation.path)
    ]


def _query_parameters(operation: Operation) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    schema = _inlined(operation.query)
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": part.get("description", ""),
            "schema": _given(part),
        }
        for name, part in schema["properties"].items()
    ]


def _given(part: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter that is there: being left out is its only null."""
    choices = [choice for choice in part.get("anyOf", ()) if choice.get("type") != "null"]
    given = {**part, **choices[0]} if choices else part
    told_elsewhere = {"description", "title", "anyOf"}
    return {key: value for key, value in given.items() if key not in told_elsewhere and value is not None}


def _responses(operation: Operation) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done."}
    if content := operation.gives or _json_content(operation.answer):
        done["content"] = content
    return {str(operation.status): done, **_refusals(operation.refusals)}


def _refusals(problems: Sequence[Problem]) -> dict[str, Any]:
    by_status: dict[int, list[Problem]] = {}
    for problem in problems:
        by_status.setdefault(problem.status, []).append(problem)
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        str(status): {
            "description": " / ".join(f"{problem.title} (`{problem.type}`)" for problem in found),
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status, found in sorted(by_status.items())
    }


def _json_content(model: type[BaseModel] | None) -> dict[str, Any]:
    if model is None:
        return {}
    return {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}}


@cache
def _inlined(model: type[BaseModel]) -> dict[str, Any]:
    """A model's schema with its references resolved: parameters cannot share components by name."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def resolve(part: Any) -> Any:
        if isinstance(part, dict):
            if "$ref" in part:
                return resolve(definitions[part["$ref"].rpartition("/")[2]])
            return {key: resolve(value) for key, value in part.items()}
        return [resolve(value) for value in part] if isinstance(part, list) else part

    resolved: dict[str, Any] = resolve(schema)
    return resolved
