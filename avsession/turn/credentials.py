"""Short-lived TURN credentials, as coturn's ``use-auth-secret`` checks them.

The user name is the Unix time at which they end and a pseudonym; the password is an HMAC-SHA1 over
the user name under the shared secret (draft-uberti-behave-turn-rest-00; SHA-1 is what that scheme
and every TURN server know, and HMAC does not rest on its collisions). Nothing is stored: every
server with the same secret hands out the same ones.

Time is cut into windows of half the lifetime, at other moments for each session. Credentials of a
window are good until the end of the next: for half the lifetime at least when they are handed out,
and never longer than all of it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from avsession.errors import SettingsInvalid
from avsession.messages.common import IceServer

_SECRET = re.compile(r"[A-Za-z0-9+/=_-]{32,256}")
MAX_FILE = 4096
"""Bytes of a secret's file."""


@dataclass(frozen=True)
class Secret:
    """What is shared with coturn. It does not show in logs or tracebacks."""

    value: str = field(repr=False)


def read_secret(path: Path) -> Secret:
    """The secret in a file; raises SettingsInvalid, which names the file and nothing of it."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE + 1).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(
            f"turn.secret_file: {path} cannot be read ({type(error).__name__})."
        ) from None
    if _SECRET.fullmatch(text) is None:
        raise SettingsInvalid(
            f"turn.secret_file: {path} must have one line of 32 to 256 letters, digits, or any of "
            "+ / = _ -, such as `openssl rand -hex 32` makes."
        )
    return Secret(text)


def pseudonym(secret: Secret, session: str, who: str) -> str:
    """The part of the user name that stands for ``who`` in this session, and nowhere else.

    Without the secret nobody can tell whose it is. It stays through the call, so that coturn's
    quota counts for one party.
    """
    told = f"avsession turn\0{session}\0{who}".encode()
    digest = hmac.new(secret.value.encode(), told, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:15]).decode()


@dataclass(frozen=True)
class Window:
    """A stretch of time in which a session's credentials stay the same."""

    expires_s: int
    """When they end, Unix time."""
    renew_ms: int
    """When the next ones are to be handed out."""


def window(session: str, ttl_s: int, now_ms: int) -> Window:
    """The window of a session that ``now_ms`` lies in."""
    half = ttl_s * 500
    # sessions turn at moments of their own, so that not all calls are told at once
    offset = zlib.crc32(session.encode()) % half
    end = ((now_ms - offset) // half + 1) * half + offset
    return Window(expires_s=(end + half) // 1000, renew_ms=end)


def make(secret: Secret, expires_s: int, name: str) -> tuple[str, str]:
    """User name and password for a pseudonym."""
    user = f"{expires_s}:{name}"
    digest = hmac.new(secret.value.encode(), user.encode(), hashlib.sha1).digest()
    return user, base64.b64encode(digest).decode()


def server(urls: Sequence[str], secret: Secret, expires_s: int, name: str) -> IceServer:
    """The TURN server with credentials, as a browser is given it."""
    user, password = make(secret, expires_s, name)
    return IceServer(urls=tuple(urls), username=user, credential=password)
