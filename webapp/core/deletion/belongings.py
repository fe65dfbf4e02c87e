"""What hangs from a user, as conditions for statements."""

from uuid import UUID

from sqlalchemy import Select, or_, select

from webapp.models import Account, ApiKey, AuditLine, Connection, Destination, Environment, Install, Source


def connections_of(user_id: UUID) -> Select[UUID]:
    """Their connections, ended or not."""
    return select(Connection.id).where(Connection.user_id == user_id)


def destinations_of(user_id: UUID) -> Select[UUID]:
    """Their destinations, closed or not."""
    return (
        select(Destination.id)
        .join(Environment, Environment.id == Destination.environment_id)
        .join(Account, Account.id == Environment.account_id)
        .where(Account.connection_id.in_(connections_of(user_id)))
    )


def installs_of(user_id: UUID) -> Select[UUID]:
    """Their installs."""
    theirs = or_(Install.user_id == user_id, Install.connection_id.in_(connections_of(user_id)))
    return select(Install.id).where(theirs)


def names_in_audit(user_id: UUID) -> tuple[tuple[str, Select[UUID] | Select[str]], ...]:
    """How the audit names things of theirs: a kind, and the ids or prefixes behind the colon."""
    return (
        ("install", installs_of(user_id)),
        ("source", select(Source.id).where(Source.user_id == user_id)),
        ("key", select(ApiKey.prefix).where(ApiKey.user_id == user_id)),
    )


def objects_in_audit(user_id: UUID) -> Select[str]:
    """Whatever else lines on their connections are about: destinations, dead letters, and the connections."""
    return select(AuditLine.object).where(AuditLine.connection_id.in_(connections_of(user_id))).distinct()
