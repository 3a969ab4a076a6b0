"""What the server counts, in Prometheus's text format. METRICS.md is printed from the table here:
``python -m web.metrics > web/METRICS.md``. Nothing of a person is in it."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from avsession.ports import Reader
from avsession.recording import State
from avsession.records import AuthSession, Leaf, Recording
from avsession.session import Party, Presence, Session
from avsession.usecases import desk, probes
from avsession.usecases.deliveries import STATES
from avsession.usecases.readiness import LastBackup
from avsession.usecases.services import Services
from avsession.webhook_records import Delivery

PREFIX = "avsession_"

GAUGES: Mapping[str, tuple[str, str]] = {
    "info": ("build", "Always 1; the label says which build runs."),
    "ready": ("", "1 while new calls are taken and can be recorded; see `/readyz`."),
    "not_ready": ("problem", "1 for each reason not to be ready."),
    "draining": ("", "1 once the server was told to stop and waits for calls to end."),
    "standbys": ("", "Servers that wait to take over from this one."),
    "sessions_open": ("", "Sessions not ended."),
    "parties_seated": ("presence", "Parties holding a seat, by whether they are there."),
    "recordings": ("state", "Recordings by state."),
    "privacy_requests": (
        "state",
        "Privacy requests that wait (`open`); of them, due within a week (`soon`), or `late`.",
    ),
    "recorder_workers": ("", "Recorders connected."),
    "staff_sessions": ("", "Staff sessions stored."),
    "webhook_deliveries": (
        "state",
        "Webhook messages kept, by state; `dead`: nothing sends them but an admin's replay.",
    ),
    "audit_leaves": ("", "Leaves in the audit log."),
    "audit_problems": ("", "What the last verification of the audit log found wrong."),
    "certificate_ends_seconds": ("", "When the served certificate ends, seconds since 1970."),
    "certificate_problem": ("", "1 while a newer certificate cannot be used."),
    "backup_seconds": ("", "When the newest backup was made, seconds since 1970."),
    "backup_checked_seconds": (
        "",
        "When the newest backup was last checked and found whole, seconds since 1970.",
    ),
    "backup_leaves": ("", "Leaves of the audit log that the newest backup holds."),
    "memory_bytes": ("", "Memory that the server process holds."),
}
"""Name -> label, and meaning. A figure that is not known is not shown."""

HEAD = """\
# What the server tells of itself

Printed from the code by `python -m web.metrics`; do not edit by hand.

`/metrics` answers addresses in `metrics_from`, in Prometheus's text format. All of these are gauges
named `avsession_NAME`. The recorders' figures, `avsession_recorder_NAME`, stand beside them: see
recorder/METRICS.md.

| name | label | meaning |
|---|---|---|"""


def document() -> str:
    """METRICS.md."""
    rows = (
        f"| `{name}` | {f'`{label}`' if label else ''} | {meaning} |"
        for name, (label, meaning) in GAUGES.items()
    )
    return "\n".join((HEAD, *rows, ""))


async def lines(app: Services, tx: Reader) -> list[str]:
    """Every figure of :data:`GAUGES` that is known now."""
    problems = await probes.problems(app)
    last = app.ready.last_backup() if app.ready.last_backup is not None else None
    ends_ms = app.ready.certificate_ends_ms
    values: dict[str, dict[str, float]] = {
        "info": {app.build: 1},
        "ready": {"": not problems},
        "not_ready": dict.fromkeys(problems, 1.0),
        "draining": {"": app.ready.draining},
        "standbys": {} if app.ready.standbys is None else {"": app.ready.standbys},
        "sessions_open": {"": await tx.count(Session, ended_ms=None)},
        "parties_seated": {str(one): await tx.count(Party, presence=one) for one in Presence},
        "recordings": {str(state): await tx.count(Recording, state=state) for state in State},
        "privacy_requests": dict(await desk.counted(tx, app.clock.now_ms())),
        "recorder_workers": {"": len(app.bus.workers())},
        "staff_sessions": {"": await tx.count(AuthSession)},
        "webhook_deliveries": {one: await tx.count(Delivery, state=one) for one in STATES},
        "audit_leaves": {"": await tx.count(Leaf)},
        "audit_problems": {"": app.watch.count},
        "certificate_ends_seconds": {} if ends_ms is None else {"": ends_ms // 1000},
        "certificate_problem": {"": app.ready.certificate_problem},
        **_backup(last),
        "memory_bytes": _memory(),
    }
    return list(_text(values))


def _text(values: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    for name, (label, meaning) in GAUGES.items():
        if not values[name]:
            continue
        yield f"# HELP {PREFIX}{name} {meaning}"
        yield f"# TYPE {PREFIX}{name} gauge"
        for said, value in values[name].items():
            labelled = f'{{{label}="{said}"}}' if label else ""
            yield f"{PREFIX}{name}{labelled} {int(value)}"


def _backup(last: LastBackup | None) -> dict[str, dict[str, float]]:
    """What is known of the newest backup."""
    whole_ms = last.checked_ms if last is not None and last.whole else None
    return {
        "backup_seconds": {} if last is None else {"": last.made_ms // 1000},
        "backup_checked_seconds": {} if whole_ms is None else {"": whole_ms // 1000},
        "backup_leaves": {} if last is None else {"": last.leaves},
    }


def _memory() -> dict[str, float]:
    """What the system says; empty where it does not."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return {}
    return {"": pages * resource.getpagesize()}


if __name__ == "__main__":
    sys.stdout.write(document())
