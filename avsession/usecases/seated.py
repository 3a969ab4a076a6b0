"""By which staff sign-in each agent's live connection came, so that it ends with that sign-in.

In memory, as the connections are. A customer's connection came by no sign-in.
"""

from __future__ import annotations

from collections import OrderedDict

KEEP = 1000
"""Sign-outs remembered, for connections that were just coming; older ones are forgotten."""


class Seated:
    """Parties' connections by sign-in (the token hash of the staff session)."""

    def __init__(self) -> None:
        self._by_party: dict[str, bytes] = {}
        self._out: OrderedDict[bytes, None] = OrderedDict()

    def note(self, party: str, auth: bytes | None) -> None:
        """The party's next connection comes by this sign-in."""
        if auth is None:
            self._by_party.pop(party, None)
        else:
            self._by_party[party] = auth

    def sign_out(self, auth: bytes) -> list[str]:
        """The sign-in is over; the parties whose connections came by it."""
        self._out[auth] = None
        while len(self._out) > KEEP:
            self._out.popitem(last=False)
        return [party for party, by in self._by_party.items() if by == auth]

    def is_out(self, party: str) -> bool:
        """Whether the party comes by a sign-in that is over by now."""
        return self._by_party.get(party) in self._out

    def forget(self, party: str) -> None:
        """The party's session has ended."""
        self._by_party.pop(party, None)
