"""``avsession turn config``: the configuration of coturn that goes with the settings."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from avsession.config import Settings
from avsession.turn import coturn
from avsession.turn.credentials import Secret, read_secret


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    command: Callable[..., argparse.ArgumentParser],
) -> None:
    """``avsession turn …``; ``command`` makes one with the arguments that all have."""
    group: Any = commands.add_parser("turn", help="the TURN server").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    one = command(
        group,
        "config",
        "print coturn's configuration file for these settings, or write it with the secret in it",
        "avsession turn config --to /etc/turnserver.conf",
    )
    one.add_argument(
        "--to", type=Path, metavar="FILE", help="write it there, readable by you alone (0600)"
    )


def config(settings: Settings) -> str:
    """The file without the secret; raises SettingsInvalid."""
    return _render(settings, None)


def write(settings: Settings, to: Path) -> dict[str, str]:
    """The file with the secret, in place of what is there; raises SettingsInvalid."""
    secret = Path(settings.turn.secret_file or "")
    text = _render(settings, read_secret(secret) if settings.turn.secret_file else None)
    beside = to.with_name(f"{to.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    beside.replace(to)
    return {"written": str(to)}


def _render(settings: Settings, secret: Secret | None) -> str:
    place = coturn.Place(
        realm=settings.public_host,
        certificate=settings.certificate,
        certificate_key=settings.certificate_key,
    )
    return coturn.render(settings.turn, place, secret)
