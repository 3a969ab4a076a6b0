"""Ports for what is started a moment later, or stopped and started again.

Where a test can, it asks for port 0 and reads what it got. Where the number must be known before
somebody listens, one that the kernel gives will not do: it may give it to somebody else meanwhile.
"""

from __future__ import annotations

import secrets
import socket

FIRST, LAST = 20_000, 31_999
"""Below what the kernel gives to who asks for any (from 32,768, Linux)."""


def free_ports(count: int) -> tuple[int, int]:
    """The first and the last of so many in a row that nobody uses, TCP or UDP, at any address."""
    while True:
        first = FIRST + secrets.randbelow(LAST - FIRST - count + 2)
        if all(_is_free(port) for port in range(first, first + count)):
            return first, first + count - 1


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]


def _is_free(port: int) -> bool:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        try:
            tcp.bind(("0.0.0.0", port))
            udp.bind(("0.0.0.0", port))
        except OSError:
            return False
        return True
