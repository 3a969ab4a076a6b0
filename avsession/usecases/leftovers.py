"""What the database's files keep behind what was removed, and that it goes, too.

Somebody's reading can be in the way for a moment; then it is tried again. A start tries once in
any case: the process before may have ended between removing and scrubbing.
"""

from __future__ import annotations

from avsession.ports import Store


class Leftovers:
    """Whether the database's files may still hold something that was removed."""

    def __init__(self) -> None:
        self._wanted, self._done = 1, 0

    @property
    def due(self) -> bool:
        """Whether a scrub is wanted that has not succeeded since."""
        return self._done < self._wanted

    async def scrub(self, store: Store) -> bool:
        """Scrub what was removed until now; False when the database server does that by itself.

        Raises Unavailable when it cannot be done now; :meth:`again` mends that.
        """
        self._wanted += 1
        return await self.again(store)

    async def again(self, store: Store) -> bool:
        """Scrub if it is due; as :meth:`scrub`."""
        wanted = self._wanted
        if not self.due:
            return True
        scrubbed = await store.scrub()
        # what was removed while it ran is its remover's to scrub
        self._done = max(self._done, wanted)
        return scrubbed
