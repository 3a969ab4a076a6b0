"""Everything in one process and one port: the composition of the product.

Order of starting: files and keys, store, use cases, port, recorders, timers. Order of
stopping: recordings are finalised or suspended, recorders end, connections end, the store closes.
"""

from __future__ import annotations

import asyncio
import datetime
import fcntl
import hashlib
import logging
import os
import secrets
import shutil
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiohttp import web as aiohttp_web

from avsession import __version__, claiming, keys, recorders, standby
from avsession.audit import log as audit_log
from avsession.audit.verify import Report
from avsession.canonical import b64
from avsession.certificates import Certificate
from avsession.clock import SystemClock
from avsession.config import Settings
from avsession.custody import custody_of, note_rotation, seen
from avsession.errors import AvsessionError, ServerStopping, SettingsInvalid, Unavailable
from avsession.forwarded import Proxies
from avsession.storage.anchor import FileAnchor
from avsession.storage.engine import sqlite_url
from avsession.storage.folders import FolderObjects
from avsession.storage.journal import FileJournal
from avsession.storage.parcels import FolderParcels
from avsession.storage.snapshot import last_backup
from avsession.storage.sql import OUTRUN, SqlStore
from avsession.storage.unwritten import FolderUnwritten
from avsession.supervisor import Supervisor
from avsession.tasks import Tasks
from avsession.usecases import (
    accounts,
    consent,
    delivering,
    draining,
    evidence,
    journal,
    lapsing,
    preparing,
    presence,
    publishing,
    stopping,
    timers,
    watching,
)
from avsession.usecases.gate import Gate
from avsession.usecases.notary import Notary
from avsession.usecases.readiness import Readiness
from avsession.usecases.services import Services
from signaling.cases import bind
from signaling.front import Front, tls_context
from signaling.hub import Hub
from signaling.server import SignalingServer
from web import oidc
from web.app import create_app
from web.protocol import connections
from web.sender import HttpSender

log = logging.getLogger("avsession.serve")

KEEP_ALIVE_S = 75
"""How long an idle page connection is kept."""


@dataclass(frozen=True)
class Files:
    """What lies where in the data folder; made 0700 and 0600 on first use."""

    root: Path

    @classmethod
    def of(cls, settings: Settings) -> Files:
        """The data folder that is set."""
        return cls(Path(settings.data).resolve())

    def lack(self, what: str) -> SettingsInvalid:
        """The error for a command that needs ``what`` (such as "log") and finds none here."""
        return SettingsInvalid(
            f"There is no {what} in {self.root}. Name the data folder of your service with --data, "
            "or its settings file with --config."
        )

    @property
    def keys(self) -> Path:
        """Signing keys, the recorders' credential, local TLS."""
        return keys.private_folder(self.root / "keys")

    @property
    def custody(self) -> Path:
        """The custodian's key and the wrapped track keys: apart from everything else. Not made
        here: custody may be a process of its own."""
        return self.root / "custody"

    @property
    def anchor(self) -> Path:
        """The log's last checkpoint, outside the database."""
        return keys.private_folder(self.root / "anchor")

    @property
    def spool(self) -> Path:
        """One folder a recorder worker."""
        return keys.private_folder(self.root / "spool")

    def lock(self, *, shared: bool = False) -> int:
        """Take the folder for this server; the descriptor holds it until it is closed.

        A second server would take everyone for absent and end what the first one records.
        ``shared``: with others that say so too; the database's lock is then what keeps one out that
        hangs. Raises Unavailable when another has it.
        """
        keys.private_folder(self.root)
        lock = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise Unavailable(f"Another server uses {self.root}.") from error
        return lock

    def free(self) -> int:
        """Free bytes where it lies; raises OSError."""
        return shutil.disk_usage(self.root).free

    @property
    def objects(self) -> Path:
        """Sealed segments and manifests."""
        return keys.private_folder(self.root / "objects")

    @property
    def exports(self) -> Path:
        """Exports and disclosures that are ready for download, sealed."""
        return keys.private_folder(self.root / "exports")


def build_name() -> str:
    """Version and a digest of the pages' code: what stands in consent records as the build."""
    digest = hashlib.sha256()
    static = Path(__file__).parent.parent / "web" / "static"
    for path in sorted(static.rglob("*.js")):
        digest.update(path.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:12]}"


async def open_services(
    settings: Settings, files: Files, bus: Hub, *,
    check: bool = True, migrate: bool = True, claim: bool = False, line: SqlStore | None = None,
    keep: Callable[[SqlStore, Gate, Readiness], None] = lambda store, gate, ready: None,
) -> Services:  # fmt: skip
    """The use cases' world: store migrated and open, keys there. The caller closes the store.

    Without ``migrate`` the database is opened as it is, or Unavailable raised; with ``claim`` too,
    when another server has it. ``line``: as of ``claiming.opened``, and so is ``keep``, which is
    also told whose gates and readiness it is about.

    Raises LogBroken (or what is under it) when the audit log is not the one that was signed,
    unless ``check`` is off.
    """
    keys.private_folder(files.root)
    gate = Gate()
    ready = Readiness(free_bytes=files.free, last_backup=partial(last_backup, files.root))
    store = await claiming.opened(
        database_url(settings, files), migrate=migrate, claim=claim,
        folder=files.root, line=line, claimed=lambda store: keep(store, gate, ready),
    )  # fmt: skip
    async with AsyncExitStack() as failed:
        failed.push_async_callback(store.close)
        app = await _services(settings, files, bus, store, gate, ready)
        if check:
            await evidence.opened(app)
        failed.pop_all()
    return app


def database_url(settings: Settings, files: Files) -> str:
    """The database that is set, or the one in the data folder."""
    return settings.database or sqlite_url(files.root / "avsession.sqlite3")


async def _services(
    settings: Settings, files: Files, bus: Hub, store: SqlStore, gate: Gate, ready: Readiness
) -> Services:
    anchors = (FileAnchor(files.anchor),)
    origin = await evidence.origin(settings, store, anchors)
    notary = Notary(origin, keys.FileSigner(files.keys / "log.key"), anchors)
    return Services(
        store=store,
        objects=FolderObjects(files.objects, recorders.spool_of(settings, files.root)),
        custody=custody_of(settings, files.custody, notary.key),
        parcels=FolderParcels(files.exports),
        unwritten=FolderUnwritten(files.root / "unwritten"),
        clock=SystemClock(),
        entropy=secrets.token_bytes,
        settings=settings,
        bus=bus,
        grant_key=keys.signing_key(files.keys / "grant.key"),
        build=build_name(),
        gate=gate,
        notary=notary,
        ready=ready,
    )


async def close_store(app: Services) -> None:
    """Close the store of :func:`open_services`."""
    if isinstance(app.store, SqlStore):
        await app.store.close()


def worker_arguments(settings: Settings, files: Files, app: Services, number: int) -> list[str]:
    """The command line of one recorder worker."""
    worker = keys.worker_id(files.keys / f"recorder-{number}.id", app.entropy)
    recorders.publish(settings, files.root, app.grant_key, app.entropy)
    local = settings.certificate is None and not settings.proxy.plain
    return recorders.line(
        settings,
        files.root,
        worker,
        url=recorders.worker_url(settings),
        grant_key=b64(app.grant_key.public_key().public_bytes_raw()),
        ca=files.keys / "ca.pem" if local else None,
    )


def tls_files(settings: Settings, files: Files) -> tuple[Path, Path]:
    """Certificate and key: the configured ones, or local ones."""
    if settings.certificate is not None and settings.certificate_key is not None:
        return Path(settings.certificate), Path(settings.certificate_key)
    certificate, key, _ = keys.local_certificate(files.keys, datetime.datetime.now(datetime.UTC))
    return certificate, key


def _certificate(settings: Settings, files: Files, ready: Readiness) -> Certificate | None:
    """What the port shows; None where TLS is a proxy's."""
    if settings.proxy.plain:
        return None
    return Certificate(*tls_files(settings, files), settings.public_host, tls_context, ready)


async def serve(settings: Settings) -> None:
    """Run until SIGINT (Ctrl-C) or SIGTERM; SIGHUP looks for a new certificate.

    Ctrl-C is the end: what is being recorded is finalised. SIGTERM is what service managers
    send before a restart: with ``drain_s`` the calls may end first, a second signal cuts that
    short; then recordings are suspended, and go on with a gap at the next start if everyone comes
    back in time.

    Prints ``ready``, and on loopback the sign-in links."""
    delivering.check(settings)
    oidc.check(settings.company)
    files = Files.of(settings)
    loop = asyncio.get_running_loop()
    stop: standby.Stops = asyncio.Queue()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.put_nowait, number)
    hub = Hub()
    renewed = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, renewed.set)
    turn = await standby.turn(
        settings, files.root, database_url(settings, files), files.lock,
        partial(_certificate, settings, files, Readiness()), stop, renewed,
    )  # fmt: skip
    if turn is None:
        return
    tasks = Tasks()
    keep = claiming.keeper(tasks, stop, files.root)
    app: Services | None = None
    try:
        app = await open_services(settings, files, hub, claim=True, line=turn.store, keep=keep)
        await note_start(app)
        await note_rotation(app, settings, files.custody, files.keys / "custodian.pub")
        await publishing.publish(app)
        await presence.recover(app)
        await consent.recover(app)
        await _run(settings, files, app, hub, tasks, stop, renewed, turn)
    finally:
        await tasks.close()
        if app is not None:
            await close_store(app)
        await turn.end()
    if claiming.outrun(app.store):
        raise ServerStopping(OUTRUN)


async def note_start(app: Services) -> None:
    """A leaf for each start but the first: an empty log has just been given its first leaf."""
    async with app.store.write() as tx:
        if await audit_log.size(tx) > 1:
            await audit_log.append(tx, app.clock, app.entropy, "log.started", actor="server")


async def _run(
    settings: Settings, files: Files, app: Services, hub: Hub, tasks: Tasks, stop: standby.Stops,
    renewed: asyncio.Event, turn: standby.Turn,
) -> None:  # fmt: skip
    credential = recorders.publish(settings, files.root, app.grant_key, app.entropy)
    app.relay.secret(settings)  # one that cannot be read is said now, not in the first call
    signaling = SignalingServer(
        hub,
        bind(app),
        origins=settings.origins,
        credential=credential,
        relay_only=settings.media.relay_only,
    )
    runner = aiohttp_web.AppRunner(create_app(app))
    await runner.setup()
    if runner.server is None:
        raise RuntimeError("the web application did not start")
    certificate = _certificate(settings, files, app.ready)
    front = Front(
        {
            **{f"{base}/signaling": signaling.party for base in ("", settings.base)},
            **{f"{base}/recorder": signaling.recorder for base in ("", settings.base)},
        },
        connections(runner.server, settings, keep_alive_s=KEEP_ALIVE_S),
        None if certificate is None else certificate.first(),
        proxies=Proxies(settings.proxy.trusted, settings.proxy.header),
    )
    await turn.close_door()
    await front.start(settings.listen, settings.port)
    if certificate is not None:
        tasks.spawn(certificate.follow(front.use, renewed), name="certificate")
    supervisors = [
        Supervisor(worker_arguments(settings, files, app, number))
        for number in range(settings.recorders)
    ]
    for supervisor in supervisors:
        tasks.spawn(supervisor.run(), name="supervisor")
    tasks.spawn(timers.keep_ticking(app), name="timers")
    tasks.spawn(lapsing.keep_looking(app), name="lease")
    tasks.spawn(preparing.keep_preparing(app), name="exports")
    tasks.spawn(delivering.keep_delivering(app, HttpSender()), name="webhooks")
    tasks.spawn(journal.keep(app, FileJournal(files.anchor)), name="journal of erasures")
    tasks.spawn(watching.keep_watching(app, checking(settings, files, app)), name="log watch")
    print(f"ready {settings.address}/", flush=True)
    if settings.is_loopback:
        for role, link in await accounts.sign_in_links(app):
            print(f"{role} {link}", flush=True)
    try:
        number = await stop.get()
        log.info("stopping on %s", number.name)
        if number is signal.SIGTERM and settings.drain_s and not claiming.outrun(app.store):
            number = await draining.until(app, stop) or number
        front.stop()
        if number is signal.SIGINT:
            await stopping.stop_recordings(app)
    finally:
        await asyncio.gather(*(supervisor.stop() for supervisor in supervisors))
        await signaling.close()
        await runner.cleanup()
        await front.close()
        if not claiming.outrun(app.store):
            await _write_all(app)
        app.passwords.close()


async def _write_all(app: Services) -> None:
    """Before the end: what was taken back is written down, if that can be, and what is proven
    meanwhile rests on leaves that are under a signed head."""
    try:
        await consent.withdraw_again(app)
        await evidence.checkpoint(app)
    except AvsessionError as error:
        log.warning("the last leaves are under no checkpoint: %s", error.code)


def checking(settings: Settings, files: Files, app: Services) -> watching.Check:
    """A full verification of the log on a thread and a connection of its own: a long log takes a
    while, and nobody's call waits for it. Raises CustodyUnavailable: it is asked again soon."""

    async def verified() -> Report:
        store = SqlStore(database_url(settings, files))
        try:
            key = app.notary.key
            anchors = (*app.notary.anchors, *await seen(settings, key, again=True))
            return await evidence.verify(store, key, anchors)
        finally:
            await store.close()

    async def check() -> Report:
        return await asyncio.to_thread(lambda: asyncio.run(verified()))

    return check
