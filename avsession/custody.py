"""Custody: in the server, or a process of its own that runs as another user (``custody run``)."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import resource
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from avsession import keys
from avsession.audit.checkpoint import VerifierKey
from avsession.audit.log import append
from avsession.clock import SystemClock
from avsession.config import Settings
from avsession.errors import (
    AnchorInvalid,
    AvsessionError,
    CustodyUnavailable,
    SettingsInvalid,
    Unavailable,
)
from avsession.ports import Anchor, Custody
from avsession.sealing import rotation
from avsession.sealing.custodian import Custodian, PinnedKey
from avsession.sealing.custody import LocalCustody, create_custodian, read_custodian
from avsession.sealing.grounds import DAY_MS, Rules
from avsession.sealing.remote import RemoteCustody
from avsession.sealing.rotation import Rotated
from avsession.storage.anchor import FileAnchor
from avsession.storage.folders import FolderKeys
from avsession.usecases.services import Services

log = logging.getLogger("avsession.custody")

KEY = "custodian.key"


def _local(folder: Path) -> LocalCustody:
    """Custody on a folder of this machine; its keys are made on first use."""
    keys.private_folder(folder)
    if not (folder / KEY).exists():
        create_custodian(folder / KEY)
    return LocalCustody(FolderKeys(keys.private_folder(folder / "tracks")), folder / KEY)


def custody_of(settings: Settings, folder: Path, log_key: VerifierKey) -> Custody:
    """What the server asks: the custody process where a socket is set, else its own ``folder``."""
    if settings.custody.socket is not None:
        return RemoteCustody(Path(settings.custody.socket), log_key.text)
    return _local(folder)


async def recipient_of(settings: Settings, folder: Path, log_key: VerifierKey) -> str:
    """The custodian's age recipient. Raises CustodyUnavailable, SettingsInvalid."""
    if settings.custody.socket is not None:
        return await RemoteCustody(Path(settings.custody.socket), log_key.text).recipient()
    return str(read_custodian(folder / KEY).to_public())


class SeenByCustody:
    """``ports.Anchor``, to read only: the checkpoint that custody was shown last."""

    name = "custody"

    def __init__(self, custody: RemoteCustody) -> None:
        self._custody = custody

    async def get(self) -> str | None:
        """As ``ports.Anchor.get``."""
        try:
            return await self._custody.head()
        except AvsessionError as error:
            raise AnchorInvalid(f"custody does not say what it saw: {error}") from error

    async def put(self, note: str) -> None:
        """Nothing: custody takes only what it can check."""


async def seen(
    settings: Settings, log_key: VerifierKey, *, again: bool = False
) -> tuple[Anchor, ...]:
    """What the log is held against besides its anchors: what custody saw, if it saw anything.

    ``again``: whoever asks will do so again soon. It is told CustodyUnavailable where custody does
    not answer, which is no finding about the log while two processes start.
    """
    if settings.custody.socket is None:
        return ()
    remote = RemoteCustody(Path(settings.custody.socket), log_key.text)
    anchor = SeenByCustody(remote)
    if again:
        await remote.reach()
    try:
        nothing = await anchor.get() is None
    except AnchorInvalid:
        nothing = False  # a finding of the verification
    return () if nothing else (anchor,)


def _folder(settings: Settings) -> Path:
    """The custody process's folder, made 0700; raises SettingsInvalid when others can look in."""
    folder = Path(settings.custody.folder or Path(settings.data) / "custody").resolve()
    try:
        found = keys.private_folder(folder).stat()
    except OSError as error:
        raise SettingsInvalid(f"custody.folder: {folder} cannot be used: {error}") from error
    if stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid != os.geteuid():
        raise SettingsInvalid(f"custody.folder: {folder} must be this user's own, with mode 0700.")
    return folder


def _lock(folder: Path, who: str = "custody process") -> int:
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise Unavailable(f"Another {who} uses {folder}.") from error
    return lock


async def run(settings: Settings) -> None:
    """Serve custody's socket until SIGTERM or SIGINT. Prints ``ready`` and the socket's path.

    Raises SettingsInvalid, Unavailable when another process has the folder.
    """
    path = _socket(settings)
    # no private key in a core file
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    folder = _folder(settings)
    lock = _lock(folder)
    try:
        custodian = Custodian(
            _local(folder),
            head=FileAnchor(folder / "seen"),
            pin=PinnedKey(folder / "log.pub", settings.custody.log_key),
            users=frozenset(settings.custody.users or (os.geteuid(),)),
            rules=Rules(
                access_ms=settings.signin.access_s * 1000,
                export_ms=settings.export.keep_days * DAY_MS,
            ),
            now_ms=SystemClock().now_ms,
        )
        await custodian.start(path)
        sys.stdout.write(f"ready {path}\n")
        sys.stdout.flush()
        await stop.wait()
        await custodian.close()
    finally:
        os.close(lock)


async def rotate(
    settings: Settings, progress: Callable[[int, int], None] = lambda done, of: None
) -> Rotated:
    """Give the custodian a new key, while no server, and no custody process, uses the folder.

    ``progress`` is told how many of how many keys are done. Raises Unavailable when the folder is
    in use, or a key opens with neither key; SettingsInvalid.
    """
    folder = _folder(settings)
    if not (folder / KEY).exists():
        raise SettingsInvalid(f"There is no custodian's key in {folder}.")
    # in the server's own folder it is the server that would make keys meanwhile
    own = settings.custody.socket is None
    locks = [_lock(Path(settings.data), "server")] if own else []
    try:
        locks.append(_lock(folder))
        return await rotation.rotate(FolderKeys(folder / "tracks"), folder / KEY, progress)
    finally:
        for lock in locks:
            os.close(lock)


async def note_rotation(app: Services, settings: Settings, folder: Path, known: Path) -> None:
    """A leaf (``key.rotated``) if the custodian's key is not the one in the file ``known``.

    ``folder``: of the custody in the server. A crash at this very moment may say it twice. While
    custody does not answer nothing is said.
    """
    former = _told(known)
    try:
        recipient = await recipient_of(settings, folder, app.notary.key)
    except CustodyUnavailable:
        return
    if former == recipient:
        return
    if former is not None:
        refs = {"custodian": recipient, "former": former}
        async with app.store.write() as tx:
            await append(tx, app.clock, app.entropy, "key.rotated", actor="server", refs=refs)
    _tell(known, recipient)


def _told(known: Path) -> str | None:
    return known.read_text("ascii").strip() if known.exists() else None


def _tell(known: Path, recipient: str) -> None:
    coming = known.with_name(f".{known.name}.new")
    coming.unlink(missing_ok=True)
    keys.write_private(coming, f"{recipient}\n".encode())
    coming.replace(known)


def _socket(settings: Settings) -> Path:
    if settings.custody.socket is None:
        raise SettingsInvalid("custody.socket must name where custody listens.")
    return Path(settings.custody.socket)


async def check(settings: Settings) -> None:
    """Whether a custody process takes connections; raises CustodyUnavailable, SettingsInvalid.

    Asks nothing, so that whoever checks needs not be one of its users.
    """
    await RemoteCustody(_socket(settings), "").reach()
