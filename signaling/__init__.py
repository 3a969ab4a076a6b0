"""Signaling: who is connected, what they may say, and whom it reaches.

Read in this order:

- ``front``: the one TLS port; passes a connection on by its first request's path.
- ``upgrade``: who may open a WebSocket, and the WebSocket.
- ``server``: the two doors, for parties and for recorder workers; coming, replacing, going.
- ``connection``: a *peer*: its bounded outbox, its rates and violations, how it ends.
- ``dispatch``: the table, a line a message; ``lanes`` keeps order within a connection.
- ``hub``: who is where; relays within a session; ``ports.Bus`` for the use cases.
- ``cases``: the use cases as plain callables; the only road to anything that is stored.
- ``limits``: every number. ``PROTOCOL.md`` is printed by ``document``.

Knows no database and no page. Everything here is in memory and may be lost: after a restart the
peers come back by themselves.
"""
