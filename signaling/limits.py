"""Every limit of the front and of signaling, each with what happens beyond it. One table.

The fields below are the table: PROTOCOL.md is printed from them, and tests set smaller ones.
Limits of a message's own fields stand with the messages, those of a description in
``avsession.sdp``; :data:`FIXED` repeats the ones a reader looks for here.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from avsession import sdp
from avsession.messages import MAX_DEPTH, MAX_MESSAGE, MAX_RECORDER_MESSAGE


class Rate(NamedTuple):
    """A token bucket: ``burst`` at once, then ``per_s`` a second."""

    per_s: float
    burst: int

    def __str__(self) -> str:
        return f"{self.per_s:g}/s, {self.burst} at once"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers. Names end in their unit: ``_s`` seconds, ``_bytes`` bytes, none: a count.

    What each means and what happens beyond it is its docstring, which PROTOCOL.md repeats.
    """

    # --- the port
    connections: int = 2000
    """TCP connections at once. Beyond: the new one is closed before its TLS handshake."""
    connections_per_address: int = 200
    """TCP connections at once from one IPv4 address or IPv6 /64 (an office may share one); behind
    a proxy, WebSockets of the client that it names. Beyond: the new one is closed before its TLS
    handshake, or behind a proxy answered with HTTP 429."""
    tls_s: float = 10.0
    """Time for the TLS handshake. Beyond: closed."""
    request_line_bytes: int = 8192
    """Length of the first request line. Beyond: HTTP 414, closed."""
    head_bytes: int = 16_384
    """Length of the first request's head. Beyond: HTTP 431, closed."""
    head_s: float = 10.0
    """Time from TLS to the end of that head. Beyond: HTTP 408, closed."""
    stall_s: float = 300.0
    """Time for which a client may leave what was written to it unread (Linux). Beyond: closed."""

    # --- a connection's life
    open_s: float = 5.0
    """Time for the WebSocket handshake. Beyond: closed."""
    hello_s: float = 5.0
    """Time until the first message. Beyond: the connection ends with 1008 `hello.late`."""
    ping_s: float = 5.0
    """Interval of WebSocket pings. Beyond: a ping is sent."""
    pong_s: float = 5.0
    """Time for a pong. Beyond: the connection ends with 1011."""
    close_s: float = 3.0
    """Time for the last messages and the closing handshake. Beyond: the connection is cut."""
    send_s: float = 10.0
    """Time for one message to leave. Beyond: the connection ends with 1008 `outbox.full`."""
    drain_s: float = 1.0
    """Time that a gone party's last messages have before it counts as lost. Beyond: it counts as
    lost; they are still carried out."""

    # --- what comes in
    queue: int = 16
    """Frames received and not yet read. Beyond: reading pauses."""
    violations: Rate = Rate(1 / 30, 10)
    """Messages that are malformed, unknown, of a bad description or too many. Beyond: the
    connection ends with 1008 `violations`."""
    messages: Rate = Rate(50, 200)
    """A party's messages, all kinds. Beyond: `error too_many`, counted as a violation; the
    message is not carried out."""
    message_bytes: Rate = Rate(100_000, 1_000_000)
    """Characters of a party's messages. Beyond: `error too_many`, counted as a violation; the
    message is not carried out."""
    descriptions: Rate = Rate(2, 30)
    """`describe`, `leg.answer`. Beyond: `error too_many`, counted as a violation; the message is
    not carried out."""
    candidates: Rate = Rate(20, 200)
    """`trickle`, `confirm`, `leg.trickle`. Beyond: `error too_many`, counted as a violation; the
    message is not carried out."""
    closing: Rate = Rate(2, 20)
    """What stops something: withdraw, fate, refuse, stop, pause, leave, failed leg. Beyond: `error
    too_many`, counted as a violation; the message is not carried out."""
    others: Rate = Rate(5, 40)
    """Each party's remaining messages. Beyond: `error too_many`, counted as a violation; the
    message is not carried out."""
    waiting: int = 64
    """A party's messages that wait for their turn. Beyond: `error too_many`; not carried out."""
    withdrawals: int = 4
    """Withdrawals, stops and pauses of one party carried out at once. Beyond: the next waits for
    its turn; the gate has closed with the first."""
    recorder_messages: Rate = Rate(1000, 5000)
    """A recorder's messages. Beyond: the connection ends with 1008 `rate`; it reconnects and
    resumes."""
    recorder_waiting: int = 2048
    """A recorder's messages that wait. Beyond: the connection ends with 1008 `rate`; it
    reconnects and resumes."""

    # --- what goes out
    outbox: int = 256
    """Messages waiting for a party's page. Beyond: the connection ends with 1008 `outbox.full`."""
    outbox_bytes: int = 1 << 20
    """Their size together. Beyond: the connection ends with 1008 `outbox.full`."""
    recorder_outbox: int = 4096
    """Messages waiting for a recorder. Beyond: the connection ends with 1008 `outbox.full`."""
    recorder_outbox_bytes: int = 8 << 20
    """Their size together. Beyond: the connection ends with 1008 `outbox.full`."""
    unread_bytes: int = 1 << 18
    """Answers to WebSocket pings and the like left unread. Beyond: the connection is cut."""


class Row(NamedTuple):
    """A line of the table in PROTOCOL.md."""

    name: str
    value: str
    what: str
    beyond: str


_MALFORMED = "`error message.invalid`, a violation"
_BAD_SDP = "`error sdp.refused`, a violation; nothing is relayed"

FIXED = (
    Row("MAX_MESSAGE", str(MAX_MESSAGE), "bytes of a party's message", "closed with 1009"),
    Row(
        "MAX_RECORDER_MESSAGE",
        str(MAX_RECORDER_MESSAGE),
        "bytes of a recorder's message",
        "closed with 1009",
    ),
    Row("MAX_DEPTH", str(MAX_DEPTH), "nesting of arrays and objects in a message", _MALFORMED),
    Row("fragments", "4096", "WebSocket frames of one message", "closed with 1009"),
    Row("binary frames", "0", "binary messages", _MALFORMED),
    Row("sdp.MAX_TEXT", str(sdp.MAX_TEXT), "characters of a description", _MALFORMED),
    Row("sdp.MAX_LINES", str(sdp.MAX_LINES), "lines of a description", _BAD_SDP),
    Row("sdp.MAX_LINE", str(sdp.MAX_LINE), "characters of a line of it", _BAD_SDP),
    Row("sdp.MAX_MEDIA", str(sdp.MAX_MEDIA), "m-lines: audio, video, application", _BAD_SDP),
    Row("sdp.MAX_CANDIDATES", str(sdp.MAX_CANDIDATES), "candidates in a description", _BAD_SDP),
    Row("fingerprints", "1", "different `a=fingerprint` values, SHA-256 only", _BAD_SDP),
    Row("sdp.MAX_CANDIDATE", str(sdp.MAX_CANDIDATE), "characters of a candidate", _BAD_SDP),
    Row("connections of a party", "1", "a party's own", "the newer one replaces the older"),
)
"""Limits that are part of the protocol rather than of a deployment."""
