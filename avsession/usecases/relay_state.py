"""What a server keeps of TURN while it runs: the secret, and who is told new credentials when."""

from __future__ import annotations

from pathlib import Path

from avsession.config import Settings
from avsession.turn import credentials
from avsession.turn.credentials import Secret


class Relay:
    """The secret, once it was read, and when the sessions served from here are told new
    credentials (ms)."""

    def __init__(self) -> None:
        self._secret: Secret | None = None
        self.due: dict[str, int] = {}

    def secret(self, settings: Settings) -> Secret | None:
        """What is shared with coturn; None without ``[turn]``. Raises SettingsInvalid when it
        cannot be read, which the first call shows: a later change needs a restart."""
        if self._secret is None and settings.turn.urls and settings.turn.secret_file:
            self._secret = credentials.read_secret(Path(settings.turn.secret_file))
        return self._secret
