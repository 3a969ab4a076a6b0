"""Recorder workers: how one is started, by the server or by itself (``avsession recorder run``).

The server puts what a worker needs, and nothing more, into one folder: the credential that they
share, and the public key of the grants. A worker of its own is given that folder to read, and the
spool to write; never the keys, the database or custody.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from avsession import keys
from avsession.canonical import b64
from avsession.config import Settings
from avsession.config_processes import LINK
from avsession.errors import SettingsInvalid, Unavailable
from avsession.session import Entropy

CREDENTIAL = "recorder.credential"
GRANT_KEY = "grant.pub"
MOST = 64
"""Workers that share a spool."""


def access_of(settings: Settings, root: Path) -> Path:
    """The folder with what a worker needs; ``root`` is the data folder."""
    return Path(settings.recorder.access or root / "keys").resolve()


def spool_of(settings: Settings, root: Path) -> Path:
    """The folder with each worker's spool, made if it is not there."""
    return keys.private_folder(Path(settings.recorder.spool or root / "spool").resolve())


def publish(settings: Settings, root: Path, grant_key: Ed25519PrivateKey, entropy: Entropy) -> str:
    """Put into the folder what workers need; returns the credential, made on first use."""
    folder = keys.private_folder(access_of(settings, root))
    public = b64(grant_key.public_key().public_bytes_raw())
    new = folder / f".{GRANT_KEY}.new"
    new.unlink(missing_ok=True)
    keys.write_private(new, public.encode() + b"\n")
    new.replace(folder / GRANT_KEY)
    return keys.credential(folder / CREDENTIAL, entropy)


def worker_url(settings: Settings) -> str:
    """Where this machine's recorders reach the server: straight, past any proxy."""
    if not settings.proxy.plain:
        host = "localhost" if settings.is_loopback else settings.public_host
        return f"wss://{host}:{settings.port}/recorder"
    everywhere = settings.listen in ("0.0.0.0", "::", "")  # noqa: S104 - only looked at
    host = "localhost" if everywhere else settings.listen
    return f"ws://{f'[{host}]' if ':' in host else host}:{settings.port}/recorder"


def line(
    settings: Settings, root: Path, worker: str, *, url: str, grant_key: str, ca: Path | None
) -> list[str]:
    """The command line of a worker, after ``python -m recorder``. Makes its spool."""
    arguments = {
        "--url": url,
        "--worker": worker,
        "--credential": str(access_of(settings, root) / CREDENTIAL),
        "--grant-key": grant_key,
        "--spool": str(keys.private_folder(spool_of(settings, root) / worker)),
        "--capacity": str(settings.recorder_capacity),
        "--min-free-mb": str(settings.recorder_min_free_mb),
        "--log-level": settings.log_level,
    }
    if ca is not None:
        arguments["--ca-file"] = str(ca)
    if settings.recorder.ports is not None:
        arguments["--ports"] = settings.recorder.ports
    if settings.recorder.address is not None:
        arguments["--address"] = settings.recorder.address
    # with "=": a key in base64url may begin with a dash
    made = [f"{name}={value}" for name, value in arguments.items()]
    return [*made, "--log-json"] if settings.log_json else made


def run(settings: Settings) -> None:
    """Become a recorder worker: a program of its own, in which nothing is loaded that opens.

    Returns only by raising: SettingsInvalid when something is missing, Unavailable when every
    place in the spool is taken.
    """
    if settings.recorder.url is None:
        raise SettingsInvalid("recorder.url must be the server's: wss://HOST/recorder.")
    root = Path(settings.data)
    access = access_of(settings, root)
    try:
        grant_key = (access / GRANT_KEY).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(
            f"{access} has no {GRANT_KEY}: the server puts it there when it starts."
        ) from error
    worker = take_place(spool_of(settings, root))
    ca = None if settings.recorder.ca is None else Path(settings.recorder.ca)
    arguments = line(settings, root, worker, url=settings.recorder.url, grant_key=grant_key, ca=ca)
    os.execv(sys.executable, [sys.executable, "-m", "recorder", *arguments])  # noqa: S606


def take_place(spool: Path) -> str:
    """The identifier of the first place in the spool that no worker has; it is ours until this
    process ends, through exec too. A worker that comes again finds its own. Raises Unavailable."""
    for number in range(MOST):
        path = spool / f"worker-{number}.id"
        identifier = keys.worker_id(path, os.urandom)
        place = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        if _taken(place):
            os.close(place)
            continue
        os.set_inheritable(place, True)
        return identifier
    raise Unavailable(f"{MOST} recorder workers use {spool} already.")


def _taken(place: int) -> bool:
    """Whether another process has it; otherwise it is ours."""
    for pause_s in (0.0, 0.05, 0.1):  # somebody may just be looking: see `check`
        time.sleep(pause_s)
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return False
    return True


def check(settings: Settings) -> str:
    """The first worker that runs on this spool and has a link to the server. Raises Unavailable
    when there is none, which says whether one runs."""
    spool = spool_of(settings, Path(settings.data))
    running = 0
    for path in sorted(spool.glob("worker-*.id")):
        if not _held(path, fcntl.LOCK_SH):
            continue
        running += 1
        worker = path.read_text("ascii").strip()
        if _held(spool / worker / LINK, fcntl.LOCK_EX):
            return worker
    if running:
        raise Unavailable("A recorder worker runs on this spool, and has no link to the server.")
    raise Unavailable("No recorder worker runs on this spool.")


def _held(path: Path, how: int) -> bool:
    """Whether another process has a lock there that does not go with this one."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False
