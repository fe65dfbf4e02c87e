"""Request bodies at Librato: JSON, or forms nested as Rails nests them, gzip or not."""

import re
from urllib.parse import parse_qsl

from flask import request

from webapp.sandbox.bodies import UnreadableError, gunzip, loads
from webapp.sandbox.librato.refusals import wrong_request

Node = dict[str, object]

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
_PART = re.compile(r"\[([^\[\]]*)\]")


def raw_body() -> bytes:
    """Return the body unpacked. Librato's Go client says gzip even where it sends no body at all."""
    raw = request.get_data()
    if not raw or request.headers.get("Content-Encoding", "identity") == "identity":
        return raw
    return gunzip(raw)


def fields() -> Node:
    """Return the parameters of this request, whichever way they were sent."""
    try:
        raw = raw_body()
        if request.mimetype == JSON:
            body = loads(raw)
        elif request.mimetype == FORM or not raw:
            body = nested(parse_qsl(raw.decode("utf-8"), keep_blank_values=True, strict_parsing=bool(raw)))
        else:
            raise wrong_request(f"Content type was not {FORM} or {JSON}", 415)
    except ValueError as error:
        raise wrong_request("The body could not be parsed") from error
    if not isinstance(body, dict):
        raise wrong_request("The body must be an object")
    return body


def nested(pairs: list[tuple[str, str]]) -> Node:
    """Nest `links[0][rel]`, `links[][rel]` and `sources[]` into lists and objects."""
    root: Node = {}
    for key, value in pairs:
        head, bracket, _ = key.partition("[")
        _place(root, [head, *(_PART.findall(key) if bracket else [])], value)
    return {name: _listed(child) for name, child in root.items()}


def _place(node: Node, path: list[str], value: str) -> None:
    head, *rest = path
    if not rest:
        node[head] = value
    elif rest[0] == "":
        _append(node.setdefault(head, []), rest[1:], value)
    else:
        child = node.setdefault(head, {})
        if not isinstance(child, dict):
            raise UnreadableError(f"{head} is given in two ways")
        _place(child, rest, value)


def _append(items: object, path: list[str], value: str) -> None:
    if not isinstance(items, list):
        raise UnreadableError("a list is given in two ways")
    if not path:
        items.append(value)
        return
    if not items or path[0] in items[-1]:
        items.append({})
    _place(items[-1], path, value)


def _listed(node: object) -> object:
    if isinstance(node, list):
        return [_listed(child) for child in node]
    if not isinstance(node, dict):
        return node
    if node and all(key.isdecimal() for key in node):
        return [_listed(node[key]) for key in sorted(node, key=int)]
    return {key: _listed(child) for key, child in node.items()}
