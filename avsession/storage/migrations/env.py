"""Run by alembic: migrate over the connection that the store gives, in its transaction.

Without one, ``alembic revision`` and ``alembic upgrade --sql`` still work offline.
"""

from __future__ import annotations

from alembic import context

from avsession.storage.postgresql import BYTEWISE
from avsession.storage.tables import metadata

connection = context.config.attributes.get("connection")

if connection is not None:
    # SQLite's DDL is transactional once BEGIN is ours; alembic assumes that it is not
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
else:
    context.configure(
        dialect_name=context.config.attributes.get("dialect", "postgresql"),
        target_metadata=metadata,
        literal_binds=True,
    )

with context.begin_transaction():
    context.run_migrations()
    if context.get_context().dialect.name == "postgresql":
        names = ", ".join(f"'{name}'" for name in sorted(metadata.tables))
        context.execute(BYTEWISE.format(tables=names))
