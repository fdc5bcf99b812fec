"""The declarative class of all tables, the names of constraints and the column types that they share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Identity, MetaData, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column
from uuid_utils.compat import uuid7

Json = Annotated[dict[str, Any], mapped_column(JSONB)]
JsonValue = Annotated[Any, mapped_column(JSONB)]
Time = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Now = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=text("now()"))]
Sequence = Annotated[int, mapped_column(BigInteger, Identity(always=False), primary_key=True)]
PublicId = Annotated[UUID, mapped_column(Uuid(), primary_key=True, default=uuid7)]


def vacuumed_at(share: float) -> dict[str, str]:
    """Options of a table that grows: it is vacuumed and analyzed when this share of it is dead, new or changed."""
    names = ("vacuum_scale_factor", "vacuum_insert_scale_factor", "analyze_scale_factor")
    return {f"autovacuum_{name}": f"{share:g}" for name in names}


GROWING = {"postgresql_with": vacuumed_at(0.05)}


class Base(DeclarativeBase):
    """The root of all tables; times are `timestamptz`, texts have no length, names of constraints are stable."""

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
        str: Text,
        datetime: DateTime(timezone=True),
        UUID: Uuid(),
        list[str]: ARRAY(Text),
        int: BigInteger,
    }
