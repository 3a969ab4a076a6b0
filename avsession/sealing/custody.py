"""Who makes track keys, and who may unwrap them: the custodian.

A track's key pair is X25519 (an age identity and its recipient). The private half is stored
only wrapped: an age v1 file to the custodian's recipient, whose plaintext is one canonical JSON
object, ``{"format", "identity", "recording", "track"}``. Naming the track inside is what keeps
a wrapped key from being passed off as another track's: age itself says nothing of that.

The custodian's own identity is a 0600 file in the format of ``age-keygen``, so that stock
``age --decrypt -i FILE`` opens wrapped keys. It is read when it is needed, not kept in memory.
"""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec
import pyrage

from avsession.canonical import canonical
from avsession.errors import Conflict, Invalid, SettingsInvalid, Unavailable

FORMAT: Final = "avsession.track-key.v1"
_MAX_FILE = 65_536


class Keys(Protocol):
    """What custody needs of a key store; ``ports.KeyStore`` is one and says what each raises."""

    async def put(self, track: str, wrapped: bytes) -> None: ...
    async def get(self, track: str) -> bytes: ...
    async def destroy(self, track: str) -> bool: ...


class _TrackKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wrapped."""

    format: Literal["avsession.track-key.v1"]
    identity: str
    recording: str
    track: str


def create_custodian(path: Path) -> str:
    """Make the custodian's identity, durably, in a new 0600 file; returns the age recipient.

    Blocking. Raises Conflict when the file is there already, OSError when it cannot be written.
    """
    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    # complete before it has its name: a crash must not leave half a key that blocks every start
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(file, "w", encoding="ascii") as stream:
            stream.write(f"# public key: {recipient}\n{identity}\n")
            stream.flush()
            os.fsync(file)
        os.link(new, path)
    except FileExistsError as error:
        raise Conflict("There is a custodian's key already.") from error
    finally:
        new.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return recipient


def read_custodian(path: Path) -> pyrage.x25519.Identity:
    """The identity in the file. Blocking.

    Raises SettingsInvalid when the file is missing, a link, open to anyone but its owner, or
    holds anything but one X25519 identity.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise SettingsInvalid(f"The custodian's key cannot be read: {error.strerror}.") from error
    with os.fdopen(file, "rb") as stream:
        mode = os.fstat(file).st_mode
        if not stat.S_ISREG(mode):
            raise SettingsInvalid("The custodian's key is not a plain file.")
        if stat.S_IMODE(mode) & 0o077:
            raise SettingsInvalid("The custodian's key is open to others; chmod 600 it.")
        lines = stream.read(_MAX_FILE).decode("ascii", "replace").splitlines()
    secrets = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    try:
        (secret,) = secrets
        return pyrage.x25519.Identity.from_str(secret)
    except (ValueError, pyrage.IdentityError):
        # what was in the file must not reach a log with the error
        raise SettingsInvalid("The custodian's key must hold one age identity.") from None


def next_key(path: Path) -> Path:
    """Where the custodian's coming key lies while a rotation goes on."""
    return path.with_name(f"{path.name}.next")


def _identities(path: Path) -> list[pyrage.x25519.Identity]:
    """The custodian's key, and the coming one while a rotation goes on or was interrupted."""
    coming = next_key(path)
    found = [coming] if coming.exists() else []
    return [read_custodian(each) for each in (path, *found)]


class LocalCustody:
    """``ports.Custody`` in this process, with the custodian's key in a file of this machine."""

    def __init__(self, keys: Keys, custodian: Path) -> None:
        """Blocking, briefly. Raises SettingsInvalid as :func:`read_custodian`."""
        self._keys = keys
        self._path = custodian
        self._recipient = read_custodian(custodian).to_public()

    @property
    def recipient(self) -> str:
        """The custodian's age recipient."""
        return str(self._recipient)

    async def create(self, recording: str, track: str) -> str:
        """As ``ports.Custody.create``; raises Conflict when the track has a key."""
        identity = pyrage.x25519.Identity.generate()
        key = _TrackKey(FORMAT, str(identity), recording, track)
        await self._keys.put(track, pyrage.encrypt(canonical(key), [self._recipient]))
        return str(identity.to_public())

    async def unwrap(self, recording: str, track: str, grounds: object = None) -> str:
        """As ``ports.Custody.unwrap``. Whoever calls it in its own process has checked the grounds.

        Raises Unavailable when the custodian's file is not usable now, or the wrapped key is
        damaged or to another custodian; Invalid when it is the key of another track.
        """
        wrapped = await self._keys.get(track)
        try:
            plain = pyrage.decrypt(wrapped, await asyncio.to_thread(_identities, self._path))
            key = msgspec.json.decode(plain, type=_TrackKey)
        except (SettingsInvalid, pyrage.DecryptError, msgspec.DecodeError):
            # from None: what was decrypted must not reach a log
            raise Unavailable("The custodian cannot unwrap this key.") from None
        if (key.recording, key.track) != (recording, track):
            raise Invalid("The wrapped key is another track's.")
        return key.identity

    async def destroy(self, track: str) -> bool:
        """As ``ports.Custody.destroy``."""
        return await self._keys.destroy(track)
