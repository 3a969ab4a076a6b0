"""What ``avsession db check`` looks at: whether a database keeps what the product promises."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from avsession.storage.engine import revisions
from avsession.storage.rows import SqlReader
from avsession.storage.tables import metadata

TRIGGERS = {"sqlite": 7, "postgresql": 7}
"""What refuses to rewrite the log; migrations 0001 and 0002 make them."""
CONNECTIONS = 25
"""What PostgreSQL must allow: one server's 19, and a few for commands and its owner."""

_LANGUAGE_OF_TEXT = """
SELECT count(*) FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND attnum > 0
    AND relname <> 'alembic_version' AND NOT attisdropped
    AND attcollation NOT IN (0, '"C"'::regcollation::oid)"""
_TRIGGERS_OF = {
    "sqlite": "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": """
        SELECT count(*) FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')
            AND relnamespace = current_schema()::regnamespace""",
}


class Fact(NamedTuple):
    """Something that was looked at: its value, and what is wrong with it, if anything is."""

    what: str
    value: str
    wrong: str = ""


async def facts(tx: SqlReader) -> list[Fact]:
    """What the database is like. Raises DatabaseUnavailable."""
    return await tx.connection.run_sync(_facts)


def _facts(connection: Connection) -> list[Fact]:
    name = connection.dialect.name

    def ask(query: str) -> str:
        return str(connection.exec_driver_sql(query).scalar_one())

    there, head = revisions(connection)
    found = [Fact("database", name)]
    found.append(
        Fact("tables", there or "none", "" if there == head else f"this version needs {head}")
    )
    if there is not None:
        triggers = ask(_TRIGGERS_OF[name])
        lost = int(triggers) < TRIGGERS[name]
        found.append(Fact("triggers", triggers, "the log is not guarded" if lost else ""))
    if name == "sqlite":
        whole = ask("PRAGMA quick_check(1)")
        return [*found, Fact("file", whole, "" if whole == "ok" else "it is damaged")]
    found.append(Fact("version", ask("SHOW server_version")))
    for setting, wanted, why in (
        ("server_encoding", "UTF8", "it cannot store every text"),
        ("fsync", "on", "a power cut loses consents"),
        ("full_page_writes", "on", "a power cut damages it"),
        ("synchronous_commit", "on", "a power cut loses consents"),
    ):
        value = ask(f"SHOW {setting}")
        found.append(Fact(setting, value, "" if value == wanted else why))
    standby = ask("SELECT pg_is_in_recovery()")
    found.append(Fact("standby", standby, "" if standby == "False" else "it cannot be written"))
    most = ask("SHOW max_connections")
    found.append(
        Fact("max_connections", most, "" if int(most) >= CONNECTIONS else f"< {CONNECTIONS}")
    )
    tls = ask("SELECT coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)")
    found.append(Fact("tls", tls))
    others = ask(_LANGUAGE_OF_TEXT)
    found.append(
        Fact("text by language", others, "" if others == "0" else "text is not ordered by bytes")
    )
    missing = [
        table.name
        for table in metadata.sorted_tables
        if there == head
        and ask(f"SELECT has_table_privilege('\"{table.name}\"', 'INSERT')") != "True"
    ]
    return [*found, Fact("may write", "no" if missing else "yes", ", ".join(missing))]
