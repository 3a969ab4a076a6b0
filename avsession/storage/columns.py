"""How a column is made: the names, the types, and the one place where constraints are named."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, MetaData, String

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

ID = String(64)
"""Identifiers (30 characters), hex digests (64)."""
WORD = String(64)
"""States, kinds, roles, languages, reasons."""
_NAMES = {"index": "number", "by": "asked_by", "right": "used_right"}
"""Field -> column, where the field is a SQL word."""


def column(
    field: str,
    kind: String | type,
    refers: str | None = None,
    *,
    null: bool = False,
    key: bool = False,
    unique: bool = False,
    index: bool = False,
) -> Column[object]:
    """A column for ``field``; ``refers`` names the ``table.column`` that it must be found in."""
    foreign = [ForeignKey(refers, deferrable=True, initially="DEFERRED")] if refers else []
    return Column(
        _NAMES.get(field, field),
        kind,
        *foreign,
        key=field,
        nullable=null,
        primary_key=key,
        # a number that we give must never become one that the database gives
        autoincrement=False,
        unique=unique or None,
        index=index or None,
    )
