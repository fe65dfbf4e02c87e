"""Readiness: whether this instance can do its work now, check by check."""

from dataclasses import dataclass
from functools import cache

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from webapp.core import processes
from webapp.core.runtime import Runtime
from webapp.lib import schema
from webapp.models import Credential


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold; `fault` says in a sentence what does not, None when all is well."""

    name: str
    fault: str | None


def check_readiness(runtime: Runtime) -> tuple[Check, ...]:
    """The database answers, its schema is this code's, the key ring opens what is sealed, and a worker lives."""
    try:
        found = schema.current(runtime.database)
        with runtime.database.read() as session:
            sealed_under = frozenset(session.execute(_KEYS_IN_USE).scalars()) if found else frozenset()
            worker = bool(found) and processes.lives(session, processes.WORKER)
    except SQLAlchemyError:
        unknown = "cannot be told while the database does not answer as it should"
        answers = Check("database", "does not answer as it should")
        return (answers, *(Check(name, unknown) for name in ("schema", "keys", "worker")))
    return (
        Check("database", None),
        Check("schema", None if found == _wanted() else "is not at this code's revision: run `hitchpost migrate`"),
        Check("keys", _keys_fault(sealed_under - runtime.vault.key_ids)),
        Check("worker", None if worker else f"none was seen for {processes.SILENT_SECONDS:g} seconds"),
    )


_KEYS_IN_USE = select(Credential.key_id).where(Credential.sealed.is_not(None)).distinct()


@cache
def _wanted() -> str | None:
    return schema.head()


def _keys_fault(missing: frozenset[str]) -> str | None:
    if not missing:
        return None
    return f"HITCHPOST_VAULT_KEYS lacks {', '.join(sorted(missing))}, under which credentials are sealed"
