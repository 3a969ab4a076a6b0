"""How a database of any age becomes today's: alembic revisions, run when the store opens."""
