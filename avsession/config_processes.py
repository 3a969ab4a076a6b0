"""Settings of processes apart from the server: custody. See ``avsession.config``."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class Custody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who holds the keys. Without a socket custody is in the server, with the server's rights."""

    socket: Annotated[str, Meta(max_length=100)] | None = None
    """Where the custody process listens, and the server asks; none: custody is in the server."""
    folder: str | None = None
    """The custody process's own folder; none: ``custody`` in the data folder."""
    users: Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(max_length=64)] = ()
    """Numbers of the users that custody answers; none: only its own."""
    log_key: Annotated[str, Meta(max_length=512)] | None = None
    """The log that custody goes by, as ``avsession keys show`` prints it; none: the first."""
