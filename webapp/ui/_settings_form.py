"""The settings of a destination as a form: drawn from what its kind declares, read back the same way."""

from collections.abc import Mapping
from typing import Any

from flask import request

from webapp.core.queries.kinds import DestinationKind
from webapp.ui._forms import Form


def read_settings(kind: DestinationKind, prefix: str = "") -> dict[str, Any]:
    """What was typed, by field name; the core says what is wrong with it. `prefix` keeps forms apart."""
    typed = {field.name: request.form.get(prefix + field.name, "").strip() for field in kind.settings}
    return {
        field.name: typed[field.name] == "on" if field.kind == "flag" else typed[field.name]
        for field in kind.settings
    }


def settings_values(kind: DestinationKind, settings: Mapping[str, Any]) -> dict[str, str]:
    """What stands in the fields of a destination that is there already."""
    return {field.name: _as_text(settings.get(field.name, field.default)) for field in kind.settings}


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else ""
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def typed_form(kind: DestinationKind, prefix: str = "") -> Form:
    """The form with what was typed, to be shown again."""
    names = [prefix + field.name for field in kind.settings if not field.secret]
    return Form(values={name: request.form.get(name, "") for name in names})
