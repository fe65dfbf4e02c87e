"""The base of all tables and the few column shapes they share."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Enum, Integer, LargeBinary, MetaData, Text, Uuid
from sqlalchemy.orm import DeclarativeBase

from webapp.lib.times import UTCDateTime

#: bigint on PostgreSQL; INTEGER on SQLite, where only that name can be an autoincrementing key.
BigId = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    """Every table: constraints are named alike on both databases, so that migrations can find them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        UUID: Uuid(),
        datetime: UTCDateTime(),
        str: Text(),
        bytes: LargeBinary(),
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
        list[str]: JSON(),
    }

    def __repr__(self) -> str:
        """The row's identity and nothing else: columns may hold sealed bytes."""
        return f"<{type(self).__name__} {self.__mapper__.primary_key_from_instance(self)}>"


def enum_column(kind: type[StrEnum]) -> Enum:
    """A column of `kind` stored by value as plain text, so that a new value needs no migration."""
    return Enum(kind, native_enum=False, length=32, create_constraint=False, values_callable=_values)


def _values(kind: type[StrEnum]) -> list[str]:
    return [member.value for member in kind]
