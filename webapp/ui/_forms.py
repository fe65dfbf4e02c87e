"""Forms: what was typed, and each fault tied to the field it is about. The core decides what is a fault."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import request

from webapp.errors import Fault, Invalid


def text(name: str) -> str:
    """The text typed into the field `name`, without the blanks around it."""
    return request.form.get(name, "").strip()


@dataclass(frozen=True, slots=True)
class Form:
    """What a template draws a form from: values to show again and faults, by field. Never a secret."""

    values: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str, default: str = "") -> str:
        """What stands in the field."""
        return self.values.get(name, default)

    def fault(self, name: str) -> str | None:
        """What is wrong with the field."""
        return self.faults.get(name)


def with_faults(error: Invalid | Fault, *shown_again: str) -> Form:
    """The form as sent, with the faults of `error`; only the fields named in `shown_again` are filled."""
    faults = error.faults if isinstance(error, Invalid) else (error,)
    return Form(
        values={name: request.form.get(name, "") for name in shown_again},
        faults={fault.where.lstrip("/"): fault.what for fault in faults},
    )
