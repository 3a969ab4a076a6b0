"""Many datagrams with one system call, where there is ``recvmmsg`` (Linux); elsewhere one by one.

The buffers are shared by all sockets of a worker: whoever reads is done with a batch before the
next `receive`. This file knows sockets, and nothing of what arrives on them.
"""

from __future__ import annotations

import ctypes
import functools
import socket
import struct
import sys
from typing import Any

SLOTS = 32
"""Datagrams in one batch."""
SLOT = 2048
"""Bytes for each; a longer datagram is cut there, so that it is seen to be too long."""
NAME = 32
"""Bytes for each source address: a ``sockaddr_in6`` has 28."""
RECEIVE_BUFFER = 1 << 20
"""Asked for; the system may grant less. A tick's packets wait in it."""


class _Header(ctypes.Structure):
    """``struct msghdr`` of recvmsg(2)."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_size", ctypes.c_uint32),
        ("parts", ctypes.c_void_p),
        ("part_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """``struct mmsghdr`` of recvmmsg(2)."""

    _fields_ = (("header", _Header), ("length", ctypes.c_uint))


STRIDE = ctypes.sizeof(_Message) // 4
"""From one datagram's length to the next one's, in `Batch.lengths`."""
_LENGTH = _Message.length.offset // 4


class Batch:
    """Up to SLOTS datagrams of one socket.

    Datagram ``i`` has ``lengths[i * STRIDE]`` bytes, in ``data`` from ``i * SLOT`` on. What comes
    from one address has the same ``sources[4 * i]`` and, with IPv6, the two after it.
    """

    def __init__(self, family: int) -> None:
        self.data = bytearray(SLOTS * SLOT)
        self.inet6 = family == socket.AF_INET6
        self._names = bytearray(SLOTS * NAME)
        self._messages = (_Message * SLOTS)()
        self.lengths = memoryview(self._messages).cast("B").cast("I")[_LENGTH:]
        self.sources = memoryview(self._names).cast("Q")
        self._call = _recvmmsg()
        data, names = _address(self.data), _address(self._names)
        self._parts = (ctypes.c_size_t * (2 * SLOTS))()  # struct iovec: where, how much
        for slot, message in enumerate(self._messages):
            self._parts[2 * slot], self._parts[2 * slot + 1] = data + slot * SLOT, SLOT
            part = ctypes.addressof(self._parts) + 2 * slot * ctypes.sizeof(ctypes.c_size_t)
            # the size stays so: all sockets that a batch is used for have addresses of one family
            size = 28 if self.inet6 else 16
            message.header = _Header(name=names + slot * NAME, name_size=size, parts=part,
                                     part_count=1)  # fmt: skip

    def receive(self, inlet: Inlet) -> int:
        """Fill the batch with what waits; how many. Less than SLOTS: nothing waits any more."""
        if self._call is not None:
            # an error (nothing there, or an ICMP message about something sent) counts as nothing
            return max(0, int(self._call(inlet.number, self._messages, SLOTS, _DONTWAIT, None)))
        return self._one_by_one(inlet)

    def source(self, slot: int) -> tuple[str, int]:
        """Where a datagram came from: address and port."""
        name = self._names[slot * NAME : (slot + 1) * NAME]
        port = int.from_bytes(name[2:4], "big")
        if self.inet6:
            return socket.inet_ntop(socket.AF_INET6, name[8:24]), port
        return socket.inet_ntop(socket.AF_INET, name[4:8]), port

    def key(self, address: tuple[str, int]) -> tuple[int, int, int]:
        """What ``sources`` holds for this address; the last two are 0 with IPv4."""
        family = struct.pack("@H", socket.AF_INET6 if self.inet6 else socket.AF_INET)
        port = struct.pack("!H", address[1])
        if self.inet6:
            packed = family + port + bytes(4) + socket.inet_pton(socket.AF_INET6, address[0])
        else:
            packed = family + port + socket.inet_aton(address[0]) + bytes(16)
        first, second, third = struct.unpack("@QQQ", packed)
        return first, second, third

    def _one_by_one(self, inlet: Inlet) -> int:
        view = memoryview(self.data)
        for slot in range(SLOTS):
            try:
                length, address = inlet.socket.recvfrom_into(view[slot * SLOT :][:SLOT])
            except OSError:
                return slot
            self.lengths[slot * STRIDE] = length
            first, second, third = self.key(address)
            self.sources[4 * slot : 4 * slot + 3] = memoryview(
                struct.pack("@QQQ", first, second, third)
            ).cast("Q")
        return SLOTS


class Inlet:
    """A socket that somebody else made and closes, read in batches and never waited for."""

    def __init__(self, descriptor: int) -> None:
        # a descriptor of our own: what its maker closes may get another meaning at once
        self.socket = socket.socket(fileno=_duplicate(descriptor))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.number = self.socket.fileno()
        self.batch = _shared(self.socket.family)

    def close(self) -> None:
        """Read no more."""
        self.socket.close()


def _duplicate(descriptor: int) -> int:
    with socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_DGRAM) as copy:
        return copy.detach()


@functools.cache
def _shared(family: int) -> Batch:
    """One batch a family: a worker reads in one thread, one socket after the other."""
    return Batch(family)


_DONTWAIT = getattr(socket, "MSG_DONTWAIT", 0)


@functools.cache
def _recvmmsg() -> Any:
    """The C library's function, or None where there is none."""
    if not sys.platform.startswith("linux"):
        return None
    found = getattr(ctypes.CDLL(None), "recvmmsg", None)
    if found is not None:
        found.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int,
                          ctypes.c_void_p]  # fmt: skip
        found.restype = ctypes.c_int
    return found


def _address(buffer: bytearray) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))
