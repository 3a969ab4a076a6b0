"""What can be done: one file a capability, and nothing else writes.

Each use case takes :class:`avsession.usecases.services.Services` first, checks what the caller
may do, changes state and appends the audit leaf in one transaction, and only then speaks to
the parties. The one exception is closing the gate, which speaks first: see ``closing``.
"""
