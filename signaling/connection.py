"""One peer: what waits to be sent to it, how much it may say, and how it ends.

A :class:`Peer` knows no socket. It writes to a :class:`Wire`, which ``signaling.server`` makes of
a WebSocket; a test makes one of a list. Nothing here waits for a peer except :meth:`Peer.write`.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol

from avsession.errors import AvsessionError, TooMany
from avsession.messages import ErrorReply, Message, encode
from signaling.limits import Limits, Rate

log = logging.getLogger("signaling.connection")


class End(enum.Enum):
    """Why a connection ends: WebSocket close code, stable reason, what a page does then."""

    OVER = (1000, "over", "The party left or the session ended; the page does not come back.")
    STOPPING = (1001, "server.stopping", "The server restarts; come back with a new ticket.")
    CLOCK_SET = (1012, "clock.set", "The server's clock was set; a recorder comes back at once.")
    HELLO_LATE = (1008, "hello.late", "No first message in time.")
    HELLO_EXPECTED = (1008, "hello.expected", "The first message was not a valid hello.")
    NOT_ADMITTED = (1008, "not_admitted", "The hello was refused; `error` said why.")
    VIOLATIONS = (1008, "violations", "Too many messages were malformed or too many.")
    RATE = (1008, "rate", "A recorder sent more than it may; it comes back and resumes.")
    OUTBOX_FULL = (1008, "outbox.full", "The peer did not read what was sent; come back.")
    REPLACED = (4001, "replaced", "The same party connected elsewhere; do not come back by itself.")

    def __init__(self, code: int, reason: str, sentence: str) -> None:
        self.code = code
        self.reason = reason
        self.sentence = sentence


class Wire(Protocol):
    """What a peer needs of a WebSocket."""

    async def send(self, text: str, /) -> None:
        """Send a text frame; returns once the transport has room again.

        Raises ConnectionError when the connection has ended.
        """

    async def close(self, code: int, reason: str, /) -> None:
        """The closing handshake; returns when the connection has ended."""

    def abort(self) -> None:
        """Cut the connection without another word."""


class Bucket:
    """A token bucket. ``now`` is in seconds and never goes back."""

    def __init__(self, rate: Rate, now: Callable[[], float]) -> None:
        self._rate = rate
        self._now = now
        self._tokens = float(rate.burst)
        self._then = now()

    def take(self, n: int = 1) -> bool:
        """Take ``n``, or nothing and False when there are not so many."""
        now = self._now()
        gained = (now - self._then) * self._rate.per_s
        self._tokens = min(float(self._rate.burst), self._tokens + gained)
        self._then = now
        if self._tokens < n:
            return False
        self._tokens -= n
        return True


class Peer:
    """A connection as the rest of signaling sees it. Every method but ``write`` is immediate.

    ``name`` is for the log: it must say nothing about a person. ``first``: the type of the
    welcome; what is told before it waits, and follows it. ``outbox``, ``outbox_bytes``: how much
    may wait. After making one you must run :meth:`write` until it returns, which it does once the
    peer has ended.
    """

    def __init__(
        self,
        wire: Wire,
        name: str,
        limits: Limits,
        now: Callable[[], float],
        *,
        first: type[Message],
        outbox: int,
        outbox_bytes: int,
    ) -> None:
        self.name = name
        self.ending: End | None = None
        self._wire = wire
        self._limits = limits
        self._now = now
        self._most = outbox
        self._most_bytes = outbox_bytes
        self._queue: deque[tuple[str, int]] = deque()
        self._bytes = 0
        self._held_for: type[Message] | None = first
        self._ready = asyncio.Event()
        self._sending = False
        self._deadline: asyncio.TimerHandle | None = None
        self._buckets: dict[str, Bucket] = {}
        self._violations = Bucket(limits.violations, now)

    # --- out

    def tell(self, message: Message) -> None:
        """Queue a message. A full outbox ends the peer; after its end messages are dropped."""
        if self.ending is not None:
            return
        text = encode(message)
        size = len(text.encode())
        if len(self._queue) >= self._most or self._bytes + size > self._most_bytes:
            log.info("%s does not read: its outbox is full", self.name)
            self.cut(End.OUTBOX_FULL)
            return
        if self._held_for is not None and isinstance(message, self._held_for):
            self._held_for = None
            self._queue.appendleft((text, size))
        else:
            self._queue.append((text, size))
        self._bytes += size
        self._wake()

    @property
    def held(self) -> bool:
        """Whether the welcome is still awaited."""
        return self._held_for is not None

    def refuse(self, error: AvsessionError, key: str | None = None) -> None:
        """Answer with the error's code and sentence; ``key`` tells the page which change it was."""
        self.tell(ErrorReply(code=error.code, message=str(error), key=key))

    # --- limits

    def charge(self, rate: str, n: int = 1) -> None:
        """Count a message, or ``n`` bytes, against the limit of this name.

        Raises TooMany beyond it.
        """
        bucket = self._buckets.get(rate)
        if bucket is None:
            bucket = self._buckets[rate] = Bucket(getattr(self._limits, rate), self._now)
        if not bucket.take(n):
            raise TooMany

    def violation(self) -> None:
        """Count one; too many end the peer. The answer to it must have been queued before."""
        if not self._violations.take():
            log.info("%s broke the protocol too often", self.name)
            self.end(End.VIOLATIONS)

    # --- the end

    def end(self, end: End) -> None:
        """End after what is queued, within ``close_s``. The first reason given stays."""
        if self.ending is not None:
            return
        self.ending = end
        self._held_for = None
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(self._limits.close_s, self._wire.abort)
        self._wake()

    def turn_away(self, error: AvsessionError, end: End) -> None:
        """Say why, and end. What was held was meant for a party that was let in: it is dropped."""
        self._drop()
        self.refuse(error)
        self.end(end)

    def cut(self, end: End) -> None:
        """End without what is queued; at once if the peer does not even take what is on its way."""
        self._drop()
        self.end(end)
        if self._sending:
            self._wire.abort()

    async def write(self) -> None:
        """Send what is told until the end, then close. Returns when the connection has ended."""
        try:
            while self.ending is None or self._queue:
                await self._ready.wait()
                self._ready.clear()
                await self._flush()
            await self._wire.close(self.ending.code, self.ending.reason)
        except ConnectionError:
            pass  # it ended by itself, which was the goal or is noticed by who reads
        finally:
            self._queue.clear()
            if self._deadline is not None:
                self._deadline.cancel()

    async def _flush(self) -> None:
        while self._queue and not self.held:
            text, size = self._queue.popleft()
            self._bytes -= size
            self._sending = True
            try:
                async with asyncio.timeout(self._limits.send_s):
                    await self._wire.send(text)
            except TimeoutError:
                self.cut(End.OUTBOX_FULL)
            finally:
                self._sending = False

    def _drop(self) -> None:
        self._queue.clear()
        self._bytes = 0

    def _wake(self) -> None:
        if not self.held:
            self._ready.set()
