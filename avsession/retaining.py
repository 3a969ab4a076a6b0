"""``avsession retention run``: what is over its time goes now; or, dry, is only named.

The same code as the server's schedule, and harmless beside it.
"""

from __future__ import annotations

import asyncio
import json
import sys

from avsession.config import Settings
from avsession.errors import SettingsInvalid
from avsession.proving import Progress
from avsession.serve import Files, close_store, database_url, open_services
from avsession.storage.engine import sqlite_file
from avsession.usecases import retention
from avsession.usecases.retention import Tally
from signaling.hub import Hub

TRIES = 5
"""How often what could not go is tried in one run."""
AGAIN_S = 0.5
"""Between two tries: somebody else's reading or writing is over by then."""
SHOWN = 20
"""Names of what went that a person is shown of each rule; ``--json`` has up to 10,000."""


async def run(settings: Settings, *, dry: bool) -> list[Tally]:
    """Apply every rule once, or with ``dry`` only look; progress goes to standard error.

    Raises SettingsInvalid where there is no database, Unavailable, and what is under LogBroken.
    """
    files = Files.of(settings)
    file = sqlite_file(database_url(settings, files))
    if file is not None and not file.exists():
        raise SettingsInvalid(
            f"There is no database in {files.root} yet; the first start makes it."
        )
    progress = Progress(sys.stderr)
    app = await open_services(settings, files, Hub(), migrate=not dry)
    try:
        found = await retention.run(app, dry=dry, progress=progress)
        for _ in range(0 if dry else TRIES):
            if not any(tally.failed for tally in found):
                break
            await asyncio.sleep(AGAIN_S)
            await retention.finish(app)
            again = await retention.run(app, progress=progress)
            found = [_joined(one, other) for one, other in zip(found, again, strict=True)]
        if any(tally.count for tally in found) and not dry:
            await retention.finish(app)
        return found
    finally:
        progress.close()
        app.passwords.close()
        await close_store(app)


def _joined(first: Tally, again: Tally) -> Tally:
    """What two tries came to: what went in either, and what stays after the second."""
    again.gone = [*first.gone, *again.gone][: retention.LISTED]
    again.count += first.count
    return again


def failed(found: list[Tally]) -> bool:
    """Whether anything that is due could not go."""
    return any(tally.failed for tally in found)


def as_json(found: list[Tally], *, dry: bool) -> str:
    """What went, for a script: opaque identifiers and counts, no person."""
    return json.dumps(
        {
            "dry_run": dry,
            "rules": [
                {
                    "what": tally.rule.what,
                    "since": tally.rule.since,
                    "days": tally.rule.days,
                    "how": tally.rule.how,
                    "count": tally.count,
                    "gone": tally.gone,
                    "kept": dict(tally.kept),
                    "failed": tally.failed,
                }
                for tally in found
            ],
        }
    )


def as_text(found: list[Tally], *, dry: bool) -> str:
    """What went, for a person: a line a rule, and under it the first of what went."""
    lines = []
    for tally in found:
        verb = f"would be {tally.rule.how}" if dry else tally.rule.how
        line = f"{tally.rule.what}: {tally.count:,} {verb}"
        line += "".join(f", {count:,} kept ({why})" for why, count in sorted(tally.kept.items()))
        if tally.failed:
            line += f", {tally.failed:,} could not go now"
        lines.append(line)
        lines += [f"   {one}" for one in tally.gone[:SHOWN]]
        if tally.count > SHOWN:
            lines.append(f"   and {tally.count - SHOWN:,} more")
    return "\n".join(lines)
