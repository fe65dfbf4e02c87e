"""Fields of forms as data: what a provider asks of a person who connects, or of one who forwards."""

from dataclasses import dataclass
from enum import StrEnum


class FieldKind(StrEnum):
    """How a form draws a field."""

    TEXT = "text"
    EMAIL = "email"
    URL = "url"
    #: one line, never echoed back
    SECRET = "secret"  # noqa: S105 - a kind of field
    #: many lines
    LINES = "lines"
    #: many lines, never echoed back
    SECRET_TEXT = "secret_text"  # noqa: S105 - a kind of field
    CHOICE = "choice"
    FLAG = "flag"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One field of a form, as data. A secret one is never shown again, not even after an error."""

    name: str
    label: str
    kind: FieldKind = FieldKind.TEXT
    help: str = ""
    required: bool = True
    default: str = ""
    #: for CHOICE: value and label
    choices: tuple[tuple[str, str], ...] = ()
    max_length: int = 8192
    #: the name of a list in the connection's details that is offered; anything else may be typed too
    offers: str = ""
    #: a regular expression that the whole value matches, in the dialect that HTML and Python share; "": any
    pattern: str = ""

    @property
    def secret(self) -> bool:
        """Whether its value must never be shown, stored in clear, or logged."""
        return self.kind in {FieldKind.SECRET, FieldKind.SECRET_TEXT}
