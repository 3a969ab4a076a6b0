"""Retention: what is kept no longer than it was said, in one place.

:data:`SWEEPS` is the registry: what has a rule in ``avsession.privacy.retention`` has its sweep
here, and nothing else does. To look after something more, write a sweep beside it and add a line
to both. The command and the schedule walk the same sweeps, in bounded pages; a dry run only looks.

Nothing here remembers what was begun: what is due is found in the database, so an interrupted run
is gone on with by the next, and two at once meet the same rows, of which each goes once.
"""

from __future__ import annotations

import collections
import dataclasses
import logging
from collections.abc import Callable, Sequence

from avsession.errors import AvsessionError, Held
from avsession.ports import Reader
from avsession.privacy import retention as rules
from avsession.privacy.retention import Rule
from avsession.records import Recording
from avsession.usecases import (
    erasure,
    evidence,
    holds,
    leaving,
    objecting,
    outdated,
    packages,
    persons,
    quality,
    restricting,
    spool,
    staffrequests,
)
from avsession.usecases.services import Services
from avsession.usecases.sweep import HOLD, RESTRICTED, Cursor, Look, Sweep, one_by_one, page

log = logging.getLogger("avsession.retention")

EVERY_MS = 3_600_000
"""How often the schedule begins a new round; recordings and children are looked for every tick."""
TURN_PAGES = 10
TURN_GOING = 100
"""Pages that one tick looks through, and rows that go in it, at most; then others have a turn."""
LISTED = 10_000
"""Names of what went that a report has, of each rule; the counts are whole."""


# --- recordings


async def _over(app: Services, tx: Reader, rule: Rule, now_ms: int, after: Cursor | None) -> Look:
    """Recordings whose last purpose's told time has passed."""
    rows, on = await page(tx, Recording, "keep_until_ms", "id", after, below=now_ms + 1)
    kept = {}
    if await holds.any_standing(tx) or await restricting.any_standing(tx):
        kept = {row.id: why for row in rows if (why := await _kept(tx, row))}
    due = tuple(row.id for row in rows if row.id not in kept)
    return Look(due, tuple(kept.values()), on)


async def _kept(tx: Reader, row: Recording) -> str | None:
    if await holds.on_recording(tx, row):
        return HOLD
    return RESTRICTED if await restricting.keeps(tx, row) else None


async def _destroy(app: Services, rule: Rule, ids: Sequence[str], now_ms: int) -> list[str]:
    """Each with its certificate; its leaf says ``retention.applied``."""

    async def go(recording_id: str) -> bool:
        async with app.store.write() as tx:
            recording = await tx.get(Recording, recording_id)
            if recording is None or not rules.recording_goes(recording.keep_until_ms, now_ms):
                return False
            if await restricting.keeps(tx, recording):
                return False
            try:
                await erasure.decide(app, tx, recording, None, "retention", whole=True)
            except Held:
                return False
        await erasure.go_on(app, recording_id)
        return True

    return await one_by_one(ids, go, rule.what)


RECORDINGS = Sweep(rules.RECORDINGS, _over, _destroy)
SWEEPS: tuple[Sweep, ...] = (
    *outdated.SWEEPS,
    *packages.SWEEPS,
    quality.COUNTS,
    RECORDINGS,
    objecting.OBJECTIONS,
    persons.CHILDREN,
    persons.SESSIONS,
    leaving.LEAVERS,
    staffrequests.WORDS,
    spool.SPOOL,
)
"""Everything that retention looks after. What goes with something else stands before it, so that
a dry run counts it where it goes: rows before the persons that they are of, and recordings, too."""
URGENT = (persons.CHILDREN, RECORDINGS)


# --- the command


@dataclasses.dataclass
class Tally:
    """What came of one rule. ``gone``: what went, or would; ``kept``: how many stay, by reason."""

    rule: Rule
    count: int = 0
    gone: list[str] = dataclasses.field(default_factory=list)
    kept: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    failed: int = 0
    """How many could not go; they are tried again by the next run."""

    def add(self, ids: Sequence[str]) -> None:
        """These went."""
        self.count += len(ids)
        self.gone += ids[: LISTED - len(self.gone)]


Progress = Callable[[str, int, int], None]
"""Called with what goes, how many of it are done, and how many were found due so far."""


async def run(
    app: Services, *, dry: bool = False, progress: Progress = lambda what, done, due: None
) -> list[Tally]:
    """Apply every rule to everything that is due now, or with ``dry`` only find it.

    Raises Unavailable when nothing can be read; what cannot go is counted as failed.
    """
    now = app.clock.now_ms()
    by_name = _rules(app)
    return [await _all_of(app, sweep, by_name[sweep.what], now, dry, progress) for sweep in SWEEPS]


def _rules(app: Services) -> dict[str, Rule]:
    return {rule.what: rule for rule in rules.table(app.settings)}


async def _all_of(
    app: Services, sweep: Sweep, rule: Rule, now: int, dry: bool, progress: Progress
) -> Tally:
    tally, due, after = Tally(rule), 0, None
    while True:
        async with app.store.read() as tx:
            seen = await sweep.look(app, tx, rule, now, after)
        tally.kept.update(seen.kept)
        due += len(seen.due)
        gone = list(seen.due) if dry else await sweep.go(app, rule, seen.due, now)
        tally.add(gone)
        tally.failed += len(seen.due) - len(gone)
        progress(sweep.what, tally.count, due)
        after = seen.after
        if after is None:
            return tally


# --- the schedule


async def apply(app: Services) -> None:
    """One turn of the schedule. Repeating it is harmless.

    What a hold keeps stays due, and goes once the hold is released.
    """
    by_name = _rules(app)
    for sweep in URGENT:
        await _soon(app, sweep, by_name[sweep.what])
    await _turn(app, by_name)


async def _soon(app: Services, sweep: Sweep, rule: Rule) -> None:
    """The first page that has anything due: what is kept before it must not keep it from going."""
    now, after = app.clock.now_ms(), None
    for _ in range(TURN_PAGES * TURN_PAGES):
        async with app.store.read() as tx:
            seen = await sweep.look(app, tx, rule, now, after)
        if seen.due:
            await sweep.go(app, rule, seen.due[:TURN_GOING], now)
            return
        after = seen.after
        if after is None:
            return


async def _turn(app: Services, by_name: dict[str, Rule]) -> None:
    """Go on with the round, as far as one turn goes."""
    now, at = app.clock.now_ms(), app.schedule
    if at.rule == 0 and at.after is None and now < at.due_ms:
        return
    went = 0
    for _ in range(TURN_PAGES + len(SWEEPS)):
        sweep = SWEEPS[at.rule]
        async with app.store.read() as tx:
            seen = await sweep.look(app, tx, by_name[sweep.what], now, at.after)
        # before anything goes: what fails must not be met for ever
        at.after = seen.after
        at.rule += seen.after is None
        if at.rule == len(SWEEPS):
            at.starts_over(now + EVERY_MS)
        if seen.due:
            went += len(await sweep.go(app, by_name[sweep.what], seen.due, now))
        if went >= TURN_GOING or (at.rule == 0 and at.after is None):
            return


async def finish(app: Services) -> None:
    """After a run that changed something: go on with what was decided, and sign the log.

    For a process that ends now; a server's timers do the same by themselves.
    """
    try:
        await erasure.resume(app)
        await app.leftovers.again(app.store)
    except AvsessionError as error:
        log.warning("the next start goes on: %s", error.code)
    await evidence.checkpoint(app)
