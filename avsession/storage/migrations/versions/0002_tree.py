"""The Merkle tree over the leaves, built from those there are, and its signed heads."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from avsession.audit import merkle
from avsession.audit.merkle import Node

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PAGE = 4096
"""Leaves that are read at once."""
TABLES = ("tree_node", "checkpoint")

# What was hashed or signed never changes again; a tampered table is found out all the same.
SQLITE = """CREATE TRIGGER {table}_no_{what} BEFORE {what} ON {table}
    BEGIN SELECT RAISE(ABORT, '{table}: append-only'); END"""
POSTGRESQL = (
    """CREATE FUNCTION {table}_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE integrity_constraint_violation USING MESSAGE = '{table}: append-only';
    END $$""",
    """CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION {table}_is_append_only()""",
    """CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {table}_is_append_only()""",
)


def upgrade() -> None:
    nodes = op.create_table(
        "tree_node",
        sa.Column("level", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name="pk_tree_node"),
    )
    op.create_table(
        "checkpoint",
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_checkpoint"),
    )
    if not op.get_context().as_sql:
        _build(op.get_bind(), nodes)
    for table in TABLES:
        if op.get_context().dialect.name == "sqlite":
            for what in ("update", "delete"):
                op.execute(SQLITE.format(table=table, what=what))
        else:
            for statement in POSTGRESQL:
                op.execute(statement.format(table=table))


def _build(connection: sa.Connection, nodes: sa.Table) -> None:
    """Hash the leaves there are into the new table; only the growing edge is held in memory."""
    leaf = sa.table("leaf", sa.column("number"), sa.column("data"))
    held: dict[Node, bytes] = {}
    size = 0
    while True:
        page = connection.execute(
            sa.select(leaf.c.data).where(leaf.c.number >= size).order_by(leaf.c.number).limit(PAGE)
        ).all()
        if not page:
            return
        rows = []
        for (data,) in page:
            carried = [held.pop(node) for node in merkle.carries(size)]
            added = merkle.append(size, merkle.leaf_hash(data), carried)
            held[added[-1][0]] = added[-1][1]
            rows += [{"level": n.level, "number": n.number, "hash": h} for n, h in added]
            size += 1
        connection.execute(nodes.insert(), rows)
