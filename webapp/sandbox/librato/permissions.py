"""Which role may do what: the table of Librato's page "API Tokens and Token Roles", row by row."""

ROLES = ("admin", "recorder", "viewer")
"""Full Access, Record Only, View Only."""

FULL = frozenset({"admin"})
RECORD = frozenset({"admin", "recorder"})
VIEW = frozenset({"admin", "viewer"})
"""Chosen: two roles are ticked in these rows, and the text lost which is the second. Dashboards are what
View Only is for."""
ALL = frozenset(ROLES)

PERMISSIONS: dict[str, dict[str, frozenset[str]]] = {
    "/v1/alerts": {"GET": VIEW, "POST": FULL},
    "/v1/alerts/<int:id>": {"GET": VIEW, "PUT": FULL, "DELETE": FULL},
    "/v1/alerts/<int:id>/services": {"POST": FULL},
    "/v1/alerts/<int:id>/services/<int:service_id>": {"DELETE": FULL},
    "/v1/annotations": {"GET": ALL},
    "/v1/annotations/<name>": {"GET": ALL, "POST": RECORD, "PUT": FULL, "DELETE": FULL},
    "/v1/annotations/<name>/<int:id>": {"GET": ALL, "PUT": FULL, "DELETE": FULL},
    "/v1/annotations/<name>/<int:id>/links": {"POST": FULL},
    "/v1/annotations/<name>/<int:id>/links/<rel>": {"DELETE": FULL},
    "/v1/api_tokens": {"GET": FULL, "POST": FULL},
    "/v1/api_tokens/<id>": {"GET": FULL, "PUT": FULL, "DELETE": FULL},
    "/v1/measurements": {"GET": ALL, "POST": RECORD},
    "/v1/metrics": {"GET": ALL, "DELETE": FULL, "POST": RECORD},
    "/v1/metrics/<name>": {"GET": ALL, "PUT": FULL, "DELETE": FULL},
    "/v1/services": {"GET": FULL, "POST": FULL},
    "/v1/services/<int:id>": {"GET": FULL, "PUT": FULL, "DELETE": FULL},
    "/v1/spaces": {"GET": VIEW, "POST": FULL},
    "/v1/spaces/<int:id>": {"GET": VIEW, "PUT": FULL, "DELETE": FULL},
    "/v1/spaces/<int:id>/charts": {"GET": VIEW, "POST": FULL},
    "/v1/spaces/<int:id>/charts/<int:chart_id>": {"GET": VIEW, "PUT": FULL, "DELETE": FULL},
    # Not in the table. Chosen: as for the list, reading a measurement's series is for all.
    "/v1/measurements/<name>": {"GET": ALL},
}
"""Roles by path and method. `POST /v1/metrics` is not in the table either; chosen: as for measurements."""


def permits(path: str, method: str, role: str) -> bool:
    """Say whether the role may use this method of a path that exists."""
    return role in PERMISSIONS[path]["GET" if method == "HEAD" else method]
