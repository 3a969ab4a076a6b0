"""The secret that is shared with coturn: read once, and said when it cannot be read."""

from pathlib import Path

import pytest

from avsession.config import Settings
from avsession.errors import SettingsInvalid
from avsession.turn.settings import Turn
from avsession.usecases.relay_state import Relay

URLS = ("turn:turn.example?transport=udp", "turns:turn.example:443?transport=tcp")


def test_a_secret_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    turn = Turn(urls=URLS, secret_file=str(tmp_path / "none"))
    with pytest.raises(SettingsInvalid, match="secret_file"):
        Relay().secret(Settings(turn=turn))
    assert Relay().secret(Settings()) is None


def test_it_is_read_once(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("5e" * 32)
    file.chmod(0o600)
    settings, relay = Settings(turn=Turn(urls=URLS, secret_file=str(file))), Relay()
    first = relay.secret(settings)
    assert first is not None
    file.unlink()
    assert relay.secret(settings) == first
