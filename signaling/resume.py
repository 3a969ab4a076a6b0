"""What a page comes back with when its connection was lost: no ticket, so no other request.

A page that was let in by a ticket gets a token with its welcome. Until `KEEP_S` after its
connection has ended, which is as long as its seat is held, the token lets that page in again, and
only as that party. It tells, too, when the page took its seat: the page that took it last has it,
and a laptop that wakes up does not take the call back from the phone.

Kept in memory, by party: there are never more than connections, and seats that are held. Nothing
here outlives the process: afterwards a page comes by a ticket, and its token still says which
page is the later one.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from avsession.session import SEAT_TIMEOUT_MS, Party

KEEP_S = SEAT_TIMEOUT_MS / 1000
AHEAD_MS = 60_000
"""A seat that is said to be taken later than this from now was not given by us."""


@dataclass
class _Held:
    token: str
    party: Party
    until_s: float | None = None
    """None while its page is connected."""


class Resumes:
    """The tokens of pages that are, or were just, connected.

    ``now``: seconds that never go back. The caller's duty: :meth:`seat` when a page is let in,
    :meth:`gone` when its party's last connection has ended.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._held: dict[str, _Held] = {}

    def redeem(self, token: str) -> Party | None:
        """Whose token this is; None when it is nobody's any more."""
        self._purge()
        for held in self._held.values():
            if hmac.compare_digest(held.token, token):
                return held.party
        return None

    def outdated(self, party: str, token: str) -> bool:
        """Whether a page that is connected has taken the party's seat after this one did."""
        held = self._held.get(party)
        return held is not None and held.until_s is None and _credible(token) < held.token

    def seat(self, party: Party, token: str | None) -> str:
        """A page takes the party's seat: again, by its ``token``, or for the first time. Returns
        its token, with which every other page's token of this party is void."""
        self._purge()
        before = self._held.get(party.id)
        kept = _credible(token) if token else ""
        kept = kept or _token(before.token if before else "")
        self._held[party.id] = _Held(kept, party)
        return kept

    def gone(self, party: str) -> None:
        """The party's last connection has ended: its page may come back for as long as its seat
        is held."""
        held = self._held.get(party)
        if held is not None:
            held.until_s = self._now() + KEEP_S

    def _purge(self) -> None:
        now = self._now()
        late = [p for p, one in self._held.items() if one.until_s is not None and one.until_s < now]
        for party in late:
            del self._held[party]


def _token(before: str) -> str:
    """A new one: later than ``before``, as text too."""
    return f"{max(_now_ms(), _when_ms(before) + 1)}-{secrets.token_hex(16)}"


def _credible(token: str) -> str:
    """A token as it is; "" when it claims a seat that was taken later than now, which would keep
    out every page that comes later."""
    return token if _when_ms(token) <= _now_ms() + AHEAD_MS else ""


def _when_ms(token: str) -> int:
    return int(token.partition("-")[0] or 0)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
