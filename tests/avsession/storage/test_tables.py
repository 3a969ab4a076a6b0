"""Tables fit the records, and PostgreSQL could take them over."""

import msgspec
import pytest
from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.schema import CreateIndex, CreateTable

from avsession import (
    export_records,
    records,
    session,
    signin_records,
    staff_records,
    webhook_records,
)
from avsession.storage.tables import TABLES, metadata


def test_columns_are_the_fields_in_their_order() -> None:
    for kind, table in TABLES.items():
        fields = msgspec.structs.fields(kind)
        assert table.c.keys() == [field.name for field in fields], kind
        for field in fields:
            optional = type(None) in getattr(field.type, "__args__", ())
            assert table.c[field.name].nullable == optional, (kind, field.name)


def test_every_record_has_a_table() -> None:
    kinds = {
        kind
        for module in (
            export_records,
            records,
            session,
            signin_records,
            staff_records,
            webhook_records,
        )
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, msgspec.Struct)
        and kind.__module__ == module.__name__
        and not kind.__name__.startswith("_")
    }
    assert kinds == set(TABLES)
    assert set(metadata.tables.values()) == set(TABLES.values())


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: str(table.name))
def test_postgresql_takes_it_over(table: Table) -> None:
    dialect = asyncpg.dialect()  # type: ignore[no-untyped-call]
    reserved = dialect.identifier_preparer.reserved_words
    for column in table.c:
        # `language`, `end` and so on would have to be quoted by everyone who looks by hand
        assert column.name not in reserved, column
    assert table.name not in reserved
    text = str(CreateTable(table).compile(dialect=dialect))
    assert "SERIAL" not in text
    for index in table.indexes:
        assert len(str(index.name)) <= 63
        CreateIndex(index).compile(dialect=dialect)
