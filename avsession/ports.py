"""What the use cases need of the world: small Protocols. Only ``storage`` knows SQL or paths."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, BinaryIO, Protocol, TypeVar

import msgspec

from avsession.messages import WithdrawConsent
from avsession.messages.common import Message
from avsession.messages.custody import Shown
from avsession.signed import Enrolment

R = TypeVar("R")


class Clock(Protocol):
    """Server time."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""


class HostClock(Clock, Protocol):
    """Server time of a process, which stays apart from a computer's clock that was set."""

    def away_ms(self) -> int:
        """How far the computer's clock was set away from this one (ms)."""

    def adopt(self) -> None:
        """Take the computer's clock as it is now. Only while no gate is open."""


Unreadable = Callable[[str, str], None]
"""Told of a row that is of another shape than the product writes: ``table key``, and why."""


class Reader(Protocol):
    """Reads records by type. A type not known to the store is a programming error."""

    async def get(self, kind: type[R], /, *key: Any) -> R | None:
        """The record with this primary key, or None."""

    async def one(self, kind: type[R], /, **where: Any) -> R | None:
        """The record whose columns equal ``where``, or None; which one, if there are several,
        is not said."""

    async def get_all(self, kind: type[R], /, keys: Sequence[tuple[Any, ...]]) -> list[R | None]:
        """The record of each of these primary keys, or None, in their order; one question."""

    async def find(
        self,
        kind: type[R],
        /,
        *,
        order: str = "",
        limit: int = 10_000,
        below: Any = None,
        above: Any = None,
        **where: Any,
    ) -> list[R]:
        """Records whose columns equal ``where``.

        ``order``: a column, ``-`` in front for descending. ``below``, ``above``: only records
        whose ``order`` column is less, or more, than this (for due times and paging). At most
        ``limit``.
        """

    async def count(self, kind: type[Any], /, **where: Any) -> int:
        """How many records match."""


class Writer(Reader, Protocol):
    """Reads and writes inside one transaction."""

    async def add(self, record: Any) -> None:
        """Insert; raises Conflict when the key is taken."""

    async def add_all(self, records: Sequence[Any]) -> None:
        """Insert several records of one type, with one statement; raises Conflict."""

    async def put(self, record: Any) -> None:
        """Insert, or replace the record with the same primary key."""

    async def remove(self, kind: type[Any], /, **where: Any) -> int:
        """Delete what matches; returns how many. ``where`` must not be empty."""


class Store(Protocol):
    """Transactions. A write commits when its block ends and rolls back when it raises.

    Writes are serialised: inside one, what was read stays true until it commits. Raises
    Unavailable when the database cannot be used.
    """

    def read(self, unreadable: Unreadable | None = None) -> AbstractAsyncContextManager[Reader]:
        """A consistent view.

        A row that cannot be read raises Unavailable, which names it; with ``unreadable`` it is
        told there, each time that it is met, and is as if it were not there.
        """

    def write(self) -> AbstractAsyncContextManager[Writer]:
        """A serialised transaction, durable once the block has ended without raising."""

    async def scrub(self) -> bool:
        """Make sure that what was removed is in none of the database's files any more.

        False when that is the database server's own affair, and not known here. Raises
        Unavailable while somebody holds an older view of the data; call again then.
        """


class ObjectStore(Protocol):
    """Sealed segments and manifests. Names are ``<recording>/<track>/<index>.age`` and
    ``<recording>/manifest.jsonl``; anything else raises Invalid."""

    async def adopt(self, recording: str, track: str, index: int, sha256: str, size: int) -> None:
        """Take a segment over from the recorder's spool, durably; idempotent.

        Raises RecordingTruncated when the file is missing or is not the one named.
        """

    async def discard(
        self, recording: str, track: str, index: int, *, adopted: bool = False
    ) -> None:
        """Delete a segment from the spool, and with ``adopted`` what was taken over of it.

        Nothing happens when it is not there.
        """

    async def put(self, name: str, data: bytes) -> None:
        """Write or replace an object, durably."""

    async def get(self, name: str) -> bytes:
        """A whole object; raises NotFound."""

    async def segments(self, recording: str) -> dict[tuple[str, int], int]:
        """What lies under a recording: track and index of each segment, and its bytes. A file that
        no segment is called has index -1."""

    async def remove(self, prefix: str) -> int:
        """Delete every object under ``<recording>`` or ``<recording>/<track>``; how many."""

    async def spooled(self) -> list[str]:
        """The recordings of which recorders have anything in their spools, in order."""

    async def unspool(self, recording: str) -> bool:
        """Delete a recording from every spool; False when it was in none, or somebody else who
        deletes it at the same time was faster."""


class Parcels(Protocol):
    """Exports that were prepared, sealed for a key that is not here.

    Names are identifiers; anything else raises Invalid. Unavailable when the disk refuses.
    """

    async def put(self, name: str, data: bytes) -> None:
        """Write or replace a parcel, durably."""

    async def get(self, name: str) -> bytes:
        """A whole parcel; raises NotFound."""

    async def read(self, name: str, start: int, end: int) -> bytes:
        """Bytes ``start`` to ``end`` (exclusive), fewer at its end; raises NotFound."""

    def new(self, name: str) -> AbstractAsyncContextManager[BinaryIO]:
        """A new parcel to write to (blocking). It is there, durably, once the block has ended
        without raising, and replaces an older one."""

    async def remove(self, name: str) -> bool:
        """Delete, durably; False when it was not there."""

    async def names(self) -> list[str]:
        """Every parcel that there is."""

    async def tidy(self) -> None:
        """Delete what writers that died have left. Only while nothing is being written."""


class TakenBack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A withdrawal that is carried out and not written down yet. Identifiers, no names."""

    party: str
    message: WithdrawConsent
    enrolment: Enrolment | None = None
    """A key that was made for it."""
    at_ms: int
    """When it was said: server time; 0 where that is not known any more."""


class Unwritten(Protocol):
    """Withdrawals that wait for the database, kept outside of it. All raise Unavailable."""

    async def keep(self, said: TakenBack) -> None:
        """Keep it, durably; harmless when it is kept. Raises Invalid for what has no identifiers,
        StorageFull when too many wait."""

    async def find(self) -> list[TakenBack]:
        """What is kept that this one has neither kept nor found before, the oldest first."""

    async def drop(self, party: str, message: WithdrawConsent) -> None:
        """It waits no more; harmless when it is not kept. Raises Invalid."""

    async def forget(self, party: str) -> None:
        """Drop everything of this party's."""


class KeyStore(Protocol):
    """Wrapped private keys, apart from everything else. Only custody uses it."""

    async def put(self, track: str, wrapped: bytes) -> None:
        """Store; raises Conflict when there is one already."""

    async def get(self, track: str) -> bytes:
        """The wrapped key; raises NotFound once destroyed."""

    async def destroy(self, track: str) -> bool:
        """Overwrite and delete, durably; False when it was gone already."""


class Grounds(Protocol):
    """Why a key may be unwrapped: a leaf that was committed. Proven to whom asks for it."""

    async def shown(self, since: int) -> Shown:
        """The leaf in a signed checkpoint that extends the log's first ``since`` leaves."""


class Custody(Protocol):
    """Who makes track keys and may unwrap them."""

    async def create(self, recording: str, track: str) -> str:
        """A new key pair; the private half is wrapped and stored. Returns the age recipient."""

    async def unwrap(self, recording: str, track: str, grounds: Grounds | None = None) -> str:
        """The private half, an age identity; raises NotFound once destroyed.

        Custody in a process of its own gives nothing without ``grounds``, and checks them.
        """

    async def destroy(self, track: str) -> bool:
        """Destroy the private half; False when it was gone already."""


class LogSigner(Protocol):
    """Holds the audit log's Ed25519 key: in a file, in another process, in a KMS."""

    @property
    def public_key(self) -> bytes:
        """The public half, 32 bytes (RFC 8032)."""

    async def sign(self, data: bytes) -> bytes:
        """The signature over ``data``, 64 bytes. Raises SignerFailed."""


class Anchor(Protocol):
    """Keeps the log's last checkpoint where whoever writes the database does not."""

    @property
    def name(self) -> str:
        """What people know it by, for messages."""

    async def get(self) -> str | None:
        """The note that was kept last, or None. Raises AnchorInvalid when it cannot be read."""

    async def put(self, note: str) -> None:
        """Keep this note instead, durably. Raises Unavailable."""


class Bus(Protocol):
    """Speaks to live connections. Nothing here waits for a peer; a full outbox ends the peer."""

    def tell(self, party: str, message: Message) -> None:
        """To one party's page, if it is connected."""

    def tell_session(self, session: str, message: Message) -> None:
        """To every connected party of the session."""

    def tell_worker(self, worker: str, message: Message) -> bool:
        """To a recorder worker; False when it is not connected."""

    def workers(self) -> list[WorkerInfo]:
        """The connected recorder workers."""

    def drop(self, party: str) -> None:
        """End the party's connection after what is queued for it."""

    def drop_worker(self, worker: str) -> None:
        """End the worker's connection, which counts as gone from now on; it comes back."""

    def media(self, party: str) -> tuple[bool, bool]:
        """The party's microphone and camera, as its page last said; (True, True) at first."""


class WorkerInfo(Protocol):
    """A connected recorder worker, as it said in its hello."""

    @property
    def worker(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def recorder_key(self) -> str: ...
    @property
    def capacity(self) -> int: ...


class NotReached(Exception):
    """Another company's server did not answer as it should. Its text is a code for why."""


class Sent(Protocol):
    """What another server answered: nothing of it is read but this."""

    @property
    def status(self) -> int: ...
    @property
    def retry_after_s(self) -> int: ...


class Sender(Protocol):
    """Asks other servers. Every call ends within its time, whatever the other one does."""

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float, internal: bool
    ) -> Sent:
        """POST ``body``. Raises NotReached, which says by a code why nothing came back.

        Follows no redirect. Without ``internal`` no address is connected to that is not a public
        one, whatever the name resolves to.
        """
