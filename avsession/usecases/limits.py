"""Limits on what strangers may try: token buckets in memory, bounded by construction.

A table has a fixed number of buckets and a key falls into one by a keyed hash, so no flood of
made-up keys can grow it or push somebody's bucket out. Two keys that share a bucket share its
tokens: at worst a wait, never more tries. Restarting the process fills every bucket again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import secrets
from array import array

LOGIN_BURST = 10
LOGIN_EVERY_MS = 60_000
"""Tries for one login name: ten at once, then one a minute, wherever they come from."""
ADDRESS_BURST = 30
ADDRESS_EVERY_MS = 2_000
"""Tries from one address: thirty at once (an office may share it), then one in two seconds."""
DENIED_EVERY_MS = 60_000
"""A refusal is written to the log at most once a minute for each of 64 groups of addresses."""


DENIALS_BURST = 3
DENIALS_EVERY_MS = 20_000
"""Refusals of one party or recorder in the log: three at once, then three a minute."""

SEAT_BURST = 20
SEAT_EVERY_MS = 2_000
"""Tickets of one party, and private links: twenty at once, then one in two seconds. Each is a
write, and coming and going leaves two leaves."""

RECEIPT_BURST = 20
RECEIPT_EVERY_MS = 2_000
"""Receipts of one party: twenty at once, then one in two seconds."""

EXPORT_BURST = 5
EXPORT_EVERY_MS = 600_000
"""Exports that one party may ask for: five at once, then one in ten minutes. Each reads everything
that is stored of them."""
RECOVERY_BURST = 5
RECOVERY_EVERY_MS = 600_000
"""Private links by a receipt, of an address and of a party: five, then one in ten minutes."""

CHOICE_BURST = 20
CHOICE_EVERY_MS = 10_000
"""Choices about cookies from one address: twenty at once (an office may share it), then one in ten
seconds. Each is a leaf, and anybody may make one."""

REPORT_BURST = 3
REPORT_EVERY_MS = 600_000
"""Reports of call quality from one party: three at once, then one in ten minutes."""

RIGHT_BURST = 20
RIGHT_EVERY_MS = 600_000
"""Rights that a party uses and that are done at once, of each kind: twenty, then one in ten
minutes. Each leaves a request and some leaves."""


class Buckets:
    """A table of token buckets; each holds ``burst`` and gains one token every ``every_ms``."""

    def __init__(self, burst: int, every_ms: int, size: int = 4096) -> None:
        self.burst = burst
        self.every_ms = every_ms
        self._tokens = array("d", [float(burst)]) * size
        self._at_ms = array("q", [0]) * size
        self._salt = secrets.token_bytes(16)

    def take(self, key: str, now_ms: int) -> bool:
        """Take a token from the key's bucket; False when there is none."""
        n = self._bucket(key)
        # A clock that was set back gives nothing and takes nothing.
        gained = max(0, now_ms - self._at_ms[n]) / self.every_ms
        tokens = min(float(self.burst), self._tokens[n] + gained)
        self._at_ms[n] = now_ms
        if tokens < 1:
            self._tokens[n] = tokens
            return False
        self._tokens[n] = tokens - 1
        return True

    def give_back(self, key: str) -> None:
        """Put a token back: the try turned out to be somebody we know."""
        n = self._bucket(key)
        self._tokens[n] = min(float(self.burst), self._tokens[n] + 1)

    def _bucket(self, key: str) -> int:
        digest = hashlib.blake2b(key.encode(), key=self._salt, digest_size=8).digest()
        return int.from_bytes(digest, "big") % len(self._tokens)


class Refusals:
    """Decides which refusals are written down, and counts those that are not."""

    def __init__(self, every_ms: int = DENIED_EVERY_MS, size: int = 64) -> None:
        self._due = Buckets(1, every_ms, size)
        self._unwritten = 0

    def note(self, key: str, now_ms: int) -> int:
        """How many refusals the leaf to be written now stands for; 0: write none."""
        self._unwritten += 1
        if not self._due.take(key, now_ms):
            return 0
        times, self._unwritten = self._unwritten, 0
        return times


@dataclasses.dataclass(frozen=True)
class Limits:
    """Every table that the use cases look into."""

    logins: Buckets = dataclasses.field(
        default_factory=lambda: Buckets(LOGIN_BURST, LOGIN_EVERY_MS)
    )
    addresses: Buckets = dataclasses.field(
        default_factory=lambda: Buckets(ADDRESS_BURST, ADDRESS_EVERY_MS)
    )
    refusals: Refusals = dataclasses.field(default_factory=Refusals)
    denials: Buckets = dataclasses.field(
        default_factory=lambda: Buckets(DENIALS_BURST, DENIALS_EVERY_MS)
    )
    tickets: Buckets = dataclasses.field(default_factory=lambda: Buckets(SEAT_BURST, SEAT_EVERY_MS))
    links: Buckets = dataclasses.field(default_factory=lambda: Buckets(SEAT_BURST, SEAT_EVERY_MS))
    receipts: Buckets = dataclasses.field(
        default_factory=lambda: Buckets(RECEIPT_BURST, RECEIPT_EVERY_MS)
    )
    exports: Buckets = dataclasses.field(
        default_factory=lambda: Buckets(EXPORT_BURST, EXPORT_EVERY_MS)
    )
    recoveries: Buckets = dataclasses.field(
        default_factory=lambda: Buckets(RECOVERY_BURST, RECOVERY_EVERY_MS)
    )
    choices: Buckets = dataclasses.field(
        default_factory=lambda: Buckets(CHOICE_BURST, CHOICE_EVERY_MS)
    )
    reports: Buckets = dataclasses.field(
        default_factory=lambda: Buckets(REPORT_BURST, REPORT_EVERY_MS)
    )
    rights: Buckets = dataclasses.field(
        default_factory=lambda: Buckets(RIGHT_BURST, RIGHT_EVERY_MS)
    )


def address_key(address: str) -> str:
    """Whom a network address counts as: an IPv6 network of 64 bits is one customer's."""
    try:
        ip = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.IPv6Network((ip, 64), strict=False).network_address)
    return str(ip)
