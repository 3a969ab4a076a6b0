"""``avsession doctor``: looks at everything that a service needs, and says what to do.

Each check has a name, a result (``ok``, ``warn`` or ``bad``), what was found, and for anything but
``ok`` what to do about it. Nothing is changed; what is written to try the disk is deleted again.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import json
import os
import resource
import socket
import ssl
import stat
import time
import urllib.parse
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from avsession import auditing, keys
from avsession.certificates import faults, read, unfit
from avsession.config import Settings
from avsession.config_processes import port_range
from avsession.custody import recipient_of
from avsession.errors import AvsessionError, CustodyUnavailable, SettingsInvalid
from avsession.serve import Files, database_url
from avsession.storage import snapshot
from avsession.storage.engine import NoTables, sqlite_file
from avsession.storage.sql import SqlStore
from avsession.turn.probing import probe_all
from avsession.usecases import backups

Result = Literal["ok", "warn", "bad"]

REACH_S = 5.0
"""How long the public address, and each TURN server, may take to answer."""
SYNCS = 8
SLOW_SYNC_S = 0.2
"""A disk that takes longer to make a write last keeps recordings' segments waiting."""
CERTIFICATE_DAYS = 14
"""Days before a certificate's end at which it should be renewed by now."""
WATCH_S = 1.0
JUMP_S = 1.0
"""The wall clock and the monotonic one may drift so far apart (s) in WATCH_S."""
DESCRIPTORS = 4096
FEW_PORTS = 200
"""UDP ports: a recording takes two legs of some each."""
KERNEL = Path("/proc/sys/net/ipv4/ip_local_port_range")
MIB = 1024 * 1024


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One check's result."""

    check: str
    result: Result
    found: str
    do: str = ""


Check = Callable[[Settings, Files], Awaitable[Finding]]


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    command: Callable[..., argparse.ArgumentParser],
) -> None:
    """``avsession doctor``; ``command`` makes one command of a group."""
    command(
        commands,
        "doctor",
        "look at everything that the service needs, and say what to do; changes nothing",
        "avsession doctor --config avsession.toml",
    )


def _fine(check: str, found: str) -> Finding:
    return Finding(check=check, result="ok", found=found)


def _bad(check: str, found: str, do: str) -> Finding:
    return Finding(check=check, result="bad", found=found, do=do)


def _warn(check: str, found: str, do: str) -> Finding:
    return Finding(check=check, result="warn", found=found, do=do)


async def examine(settings: Settings) -> list[Finding]:
    """Every check, each by itself: one that cannot be made is a finding of its own."""
    files = Files.of(settings)
    found: list[Finding] = []
    for name, check in CHECKS.items():
        try:
            found.append(await check(settings, files))
        except (AvsessionError, OSError, ValueError, TimeoutError) as error:
            what = str(error) or type(error).__name__
            found.append(_bad(name, what, "See what is said, and run avsession doctor again."))
    return found


async def _settings(settings: Settings, files: Files) -> Finding:
    """They were read, or nothing of this would run: what is left is what a trial has."""
    if settings.is_loopback:
        do = "For others set public_url and what it then asks for."
        return _warn("settings", f"{settings.address} is this machine's own: a trial", do)
    return _fine("settings", f"valid, for {settings.address}")


async def _clock(settings: Settings, files: Files) -> Finding:
    """Whether the clock runs evenly, and somebody keeps it right."""
    wall, steady = time.time(), time.monotonic()
    await asyncio.sleep(WATCH_S)
    drift = abs((time.time() - wall) - (time.monotonic() - steady))
    do = "Run an NTP client (chrony, systemd-timesyncd); consent and gates go by the clock."
    if drift > JUMP_S:
        return _bad("clock", f"it was set by {drift:.1f} s while looked at", do)
    synced = _synchronised()
    if synced is None:
        return _warn("clock", "it runs evenly; nobody says whether it is synchronised", do)
    if not synced:
        return _warn("clock", "the kernel says that it is not synchronised", do)
    return _fine("clock", "even and synchronised")


def _synchronised() -> bool | None:
    """What the kernel's clock discipline says; None where it does not tell."""
    if Path("/run/systemd/timesync/synchronized").exists():
        return True
    with contextlib.suppress(OSError, AttributeError, ValueError):
        import ctypes

        # struct timex is far smaller; adjtimex with no modes only reads. 5: TIME_ERROR
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512))
        return None if state < 0 else state != 5
    return None


async def _disk(settings: Settings, files: Files) -> Finding:
    """Free space, and how fast a write is made to last."""
    if not files.root.is_dir():
        return _warn("disk", f"{files.root} is not there yet", "The first start makes it.")
    try:
        took = await asyncio.to_thread(_sync_time, files.root)
    except OSError as error:
        return _bad("disk", f"{files.root}: {error.strerror}", "Let the service's user write it.")
    free = files.free() // MIB
    found = f"{free:,} MiB free, a write lasts after {took * 1000:.1f} ms"
    if free < settings.recorder_min_free_mb:
        return _bad("disk", found, "Make room: no recording starts below recorder_min_free_mb.")
    if free < 4 * settings.recorder_min_free_mb:
        return _warn("disk", found, "Make room soon: recordings take up to 0.7 GB an hour a party.")
    if took > SLOW_SYNC_S:
        return _warn("disk", found, "Use a faster disk: every second of a recording is synced.")
    return _fine("disk", found)


def _sync_time(folder: Path) -> float:
    """The median seconds that a small synced write takes; leaves nothing behind."""
    path, took = folder / f".doctor-{os.getpid()}", []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        for _ in range(SYNCS):
            began = time.perf_counter()
            os.write(descriptor, b"x" * 4096)
            os.fsync(descriptor)
            took.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
        path.unlink()
    return sorted(took)[SYNCS // 2]


async def _permissions(settings: Settings, files: Files) -> Finding:
    """What is private is nobody else's to read."""
    if not files.root.is_dir():
        return _warn("permissions", "there is no data folder yet", "The first start makes it.")
    open_to = await asyncio.to_thread(lambda: list(_open_to_others(files.root)))
    if open_to:
        names = ", ".join(open_to[:5])
        do = f"chmod -R go= {files.root}, and ask who could read it until now."
        return _bad("permissions", f"others can read {names}", do)
    return _fine("permissions", "only the service's user can read the data folder")


def _open_to_others(root: Path) -> Iterator[str]:
    if stat.S_IMODE(root.stat().st_mode) & 0o077 == 0:
        return
    for name in ("keys", "custody", "avsession.sqlite3"):
        path = root / name
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield name
    yield str(root)


async def _keys(settings: Settings, files: Files) -> Finding:
    """Signing keys and the custodian can be read, by us alone."""
    if not (files.root / "keys" / "log.key").exists():
        return _warn("keys", "there are none yet", "The first start makes them.")
    for name in ("log.key", "grant.key"):
        if (files.root / "keys" / name).exists():
            keys.signing_key(files.root / "keys" / name)
    log_key = await auditing.key_of(settings)
    try:
        recipient = await recipient_of(settings, files.root / "custody", log_key)
    except CustodyUnavailable as error:
        do = "Start avsession custody run; it must name this user's number in custody.users."
        return _bad("keys", f"{settings.custody.socket} does not answer: {error}", do)
    return _fine("keys", f"legible; the custodian is {recipient[:16]}…")


async def _database(settings: Settings, files: Files) -> Finding:
    """Reachable, of this version, and sound."""
    url = database_url(settings, files)
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return _warn("database", f"{file} is not there yet", "The first start makes it.")
    store = SqlStore(url)
    try:
        await store.open(migrate=False)
        standbys = await store.standbys()
    except NoTables:
        if not (files.root / "keys" / "log.key").exists():
            return _warn("database", "it has no tables yet", "The first start makes them.")
        do = "Name the right database, or restore a backup (avsession backup restore)."
        return _bad("database", "it is empty, though the data folder was used with another", do)
    except AvsessionError as error:
        return _bad("database", str(error), "Start the server once: it brings tables up to date.")
    finally:
        await store.close()
    if file is None:
        line = f", {standbys} standby" if standbys else ""
        return _fine("database", f"reachable, with the tables of this version{line}")
    if wrong := await asyncio.to_thread(snapshot.sound, file):
        do = "Stop the server, keep the file, and restore a backup (avsession backup restore)."
        return _bad("database", f"SQLite says: {wrong}", do)
    return _fine("database", "sound, with the tables of this version")


async def _certificate(settings: Settings, files: Files) -> Finding:
    """Its names and its end."""
    if settings.proxy.plain:
        return _fine("certificate", "TLS is the proxy's")
    chain = Path(settings.certificate) if settings.certificate else files.root / "keys/server.pem"
    if not chain.exists():
        if settings.certificate is None:
            return _warn("certificate", "none yet", "The first start makes a local one.")
        return _bad("certificate", f"{chain} is not there", "Put the chain where it says.")
    now = datetime.datetime.now(datetime.UTC)
    leaf = await asyncio.to_thread(read, chain)
    if settings.certificate_key and (why := unfit(chain, Path(settings.certificate_key))):
        return _bad("certificate", why, "Put both where certificate and certificate_key say.")
    if wrong := faults(leaf, settings.public_host, now):
        return _bad("certificate", "; ".join(wrong), "Get one for the public name, and renew it.")
    if (days := (leaf.not_valid_after_utc - now).days) < CERTIFICATE_DAYS:
        return _warn("certificate", f"it ends in {days} days", "See why it was not renewed yet.")
    return _fine("certificate", f"for {settings.public_host}, for {days} more days")


async def _reach(settings: Settings, files: Files) -> Finding:
    """Whether the public address leads here, asked from this machine."""
    parts = urllib.parse.urlsplit(settings.address)
    host, port = parts.hostname or "", parts.port or 443
    context = ssl.create_default_context()
    own = files.root / "keys" / "ca.pem"
    if settings.certificate is None and own.exists():
        context.load_verify_locations(own)
    try:
        async with asyncio.timeout(REACH_S):
            health = await _status(parts, f"{settings.base}/healthz", context)
            page = await _status(parts, f"{settings.base}/signin", context)
    except (OSError, TimeoutError) as error:
        what = str(error) or type(error).__name__
        do = "Is the server running? Then see name, firewall, proxy and certificate."
        return _warn("reachability", f"{host}:{port} does not answer from here: {what}", do)
    if " 200" not in health:
        do = "Something else answers there, or the proxy does not pass /healthz on."
        return _bad("reachability", f"{settings.address}/healthz says {health!r}", do)
    if " 200" not in page:
        do = "The proxy must be in proxy.trusted, and say by which scheme it was asked (PROXY.md)."
        return _bad("reachability", f"{settings.address}/signin says {page!r}, to everybody", do)
    return _fine("reachability", f"{settings.address} leads here, as seen from this machine")


async def _status(parts: urllib.parse.SplitResult, path: str, context: ssl.SSLContext) -> str:
    """The status line of a path. Raises OSError, and ValueError when it has no end."""
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 443, ssl=context)
    try:
        head = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        return (await reader.readline()).decode("latin-1").strip()
    finally:
        writer.transport.abort()


async def _turn(settings: Settings, files: Files) -> Finding:
    """A real allocation at every TURN address, what it relays to, given back at once."""
    tried = await probe_all(settings.turn, timeout_s=REACH_S)
    if not tried:
        do = "Callers behind strict firewalls need one: see turn.urls."
        return _warn("turn", "no TURN server is set", do)
    if wrong := [one for one in tried if one.sentence]:
        found = "; ".join(f"{one.url}: {one.sentence}" for one in wrong)
        return _bad("turn", found, " ".join(dict.fromkeys(one.do for one in wrong)))
    return _fine("turn", f"relays at {', '.join(one.url for one in tried)}")


async def _limits(settings: Settings, files: Files) -> Finding:
    """Open files: a connection takes one, a leg some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < DESCRIPTORS and soft != resource.RLIM_INFINITY:
        do = f"Set LimitNOFILE in the service's unit, or ulimit -n, to {DESCRIPTORS} or more."
        return _warn("limits", f"{soft} open files for who runs this; it may ask for {hard}", do)
    return _fine("limits", f"{soft} open files")


async def _ports(settings: Settings, files: Files) -> Finding:
    """The UDP ports of the recorder's legs: those that are set, or that the kernel gives."""
    if not settings.recorders:
        return _fine("udp", "this server starts no recorder; recorders' own settings name theirs")
    try:
        if settings.recorder.ports is not None:
            low, high = port_range(settings.recorder.ports)
        else:
            low, high = (int(one) for one in (await asyncio.to_thread(KERNEL.read_text)).split())
    except (OSError, ValueError):
        return _warn("udp", "the kernel does not tell its port range", "Open UDP to the recorder.")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("0.0.0.0", 0))  # noqa: S104 - nothing is received on it
    if high - low < FEW_PORTS:
        do = "Widen net.ipv4.ip_local_port_range: a recording takes two legs of some ports each."
        return _warn("udp", f"ports {low} to {high}: few", do)
    return _fine("udp", f"ports {low} to {high}; let them through the firewall")


async def _backup(settings: Settings, files: Files) -> Finding:
    """How old the newest backup is, and what checking it found."""
    last = await asyncio.to_thread(snapshot.last_backup, files.root)
    codes = backups.problems(last, int(time.time() * 1000), settings.backup_days)
    do = "avsession backup create --to FOLDER, every night, and avsession backup check FOLDER."
    if last is None:
        found = "none of this data folder has been made"
        return _warn("backup", found, do) if codes else _fine("backup", f"{found}: not by us")
    days = max(0, int(time.time() * 1000) - last.made_ms) // backups.DAY_MS
    found = f"{last.to}, made {days} days ago, with {last.leaves:,} leaves of the log"
    if codes:
        found = " ".join([f"{found}.", *(backups.PROBLEMS[code] for code in codes)])
        return (_bad if backups.DAMAGED in codes else _warn)("backup", found, do)
    return _fine("backup", f"{found}; {'found whole' if last.whole else 'not checked yet'}")


CHECKS: dict[str, Check] = {
    "settings": _settings,
    "clock": _clock,
    "disk": _disk,
    "permissions": _permissions,
    "keys": _keys,
    "database": _database,
    "certificate": _certificate,
    "reachability": _reach,
    "turn": _turn,
    "limits": _limits,
    "udp": _ports,
    "backup": _backup,
}
"""In this order."""


def unreadable(error: SettingsInvalid) -> list[Finding]:
    """What is found when there are no settings to go by."""
    return [_bad("settings", str(error), "Correct what is named, and run avsession doctor again.")]


def holds(found: list[Finding]) -> bool:
    """Whether nothing is bad."""
    return all(one.result != "bad" for one in found)


def as_json(found: list[Finding]) -> str:
    """For a script."""
    return json.dumps({"ok": holds(found), "checks": [msgspec.to_builtins(one) for one in found]})


def as_text(found: list[Finding]) -> str:
    """For a person."""
    lines = []
    for one in found:
        lines.append(f"{one.result:4} {one.check}: {one.found}")
        if one.do:
            lines.append(f"     {one.do}")
    count = sum(one.result != "ok" for one in found)
    lines.append("All is well." if not count else f"{count} to look at.")
    return "\n".join(lines)
