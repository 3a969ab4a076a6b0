"""Settings of processes beside the server: custody, recorder workers."""

from __future__ import annotations

import ipaddress
from typing import Annotated

import msgspec
from msgspec import Meta

LINK = "link"
"""In a worker's spool: the file that it holds locked (shared) while it has a link to the server."""


class Custody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who holds the keys. Without a socket custody is in the server, with the server's rights."""

    socket: Annotated[str, Meta(max_length=100)] | None = None
    """Where the custody process listens, and the server asks; none: custody is in the server."""
    folder: str | None = None
    """The custody process's own folder; none: ``custody`` in the data folder."""
    users: Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(max_length=64)] = ()
    """Numbers of the users that custody answers; none: only its own."""
    log_key: Annotated[str, Meta(max_length=512)] | None = None
    """The log that custody goes by, as ``avsession keys show`` prints it; none: the first."""


class Recorder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How recorder workers are reached, and what a worker of its own needs."""

    url: str | None = None
    """Of the server, for a worker of its own: ``wss://HOST/recorder``."""
    ca: str | None = None
    """A file of authorities for it, besides the system's."""
    access: str | None = None
    """Folder that the server fills and workers read: their credential, the grants' public key."""
    spool: str | None = None
    """Folder that workers fill and the server empties."""
    ports: Annotated[str, Meta(pattern=r"^[0-9]{4,5}-[0-9]{4,5}$(?!\n)")] | None = None
    """UDP ports of the legs, such as ``40000-40099``."""
    address: str | None = None
    """The address under which browsers reach the recorder's ports, where it is not its own."""


PORTS_A_RECORDING = 4
"""A port for each of two legs, and as many for legs that are made anew."""


def port_range(ports: str) -> tuple[int, int]:
    """First and last port of ``FIRST-LAST``; raises ValueError when there are none."""
    low, high = map(int, ports.split("-"))
    if not 1024 <= low <= high <= 65_535:
        raise ValueError("ports run from 1024 to 65535, the lower one first")
    return low, high


def recorder_problems(recorder: Recorder, capacity: int) -> list[str]:
    """What is wrong, a sentence each."""
    problems = []
    if recorder.ports is not None:
        try:
            low, high = port_range(recorder.ports)
        except ValueError as error:
            problems.append(f"recorder.ports: {error}")
        else:
            if high - low + 1 < PORTS_A_RECORDING * capacity:
                problems.append(
                    f"recorder.ports needs {PORTS_A_RECORDING} ports for each recording of "
                    "recorder_capacity"
                )
    if recorder.address is not None:
        try:
            ipaddress.ip_address(recorder.address)
        except ValueError:
            problems.append("recorder.address is not an IP address")
    if recorder.url is not None and not recorder.url.startswith(("wss://", "ws://")):
        problems.append("recorder.url must begin with wss://")
    return problems
