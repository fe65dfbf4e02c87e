"""Readiness: whether this instance can do its work now, check by check."""

from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from webapp.core import checks, processes, restores
from webapp.core.runtime import Runtime

_NAMES = ("schema", "keys", "worker", "restore")
_UNKNOWN = "cannot be told before the checks above hold"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold; `fault` says in a sentence what does not, None when all is well."""

    name: str
    fault: str | None


def check_readiness(runtime: Runtime) -> tuple[Check, ...]:
    """The database answers, its schema fits, keys open what is sealed, a worker lives, it is not held."""
    try:
        behind = "; ".join(checks.of_schema(runtime))
        if behind:
            return (Check("database", None), Check("schema", behind), *_untold(_NAMES[1:]))
        keys = "; ".join(checks.of_keys(runtime))
        with runtime.database.read() as session:
            worker = processes.lives(session, processes.WORKER)
            held = restores.read_held(session)
    except SQLAlchemyError:
        return (Check("database", "cannot be used"), *_untold(_NAMES))
    seen = None if worker else f"none was seen for {processes.SILENT_SECONDS:g} seconds"
    return (
        Check("database", None),
        Check("schema", None),
        Check("keys", keys or None),
        Check("worker", seen),
        Check("restore", str(held) if held else None),
    )


def _untold(names: tuple[str, ...]) -> tuple[Check, ...]:
    return tuple(Check(name, _UNKNOWN) for name in names)
