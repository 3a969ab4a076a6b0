"""The server's figures: each of the table, true, and the document is what the code says."""

import re
from pathlib import Path

from msgspec.structs import replace

from avsession.usecases.outbox import DEAD, SENT, WAITING
from avsession.webhook_records import Delivery
from tests.web.support import Site
from web import metrics
from web.api import backups, examples
from web.metrics import GAUGES, HEAD


async def test_every_figure_of_the_table_is_there_when_it_is_known(site: Site) -> None:
    ready = site.app.ready
    ready.certificate_ends_ms = 1_800_000_000_000
    ready.certificate_problem = ready.draining = True
    ready.last_backup = lambda: backups.LAST
    ready.stand_by(1)
    said = (await site.get("/metrics")).body.decode()
    named = re.findall(r"^# TYPE avsession_([a-z_]+) gauge$", said, re.MULTILINE)
    assert [one for one in named if not one.startswith("recorder_") or one in GAUGES] == [*GAUGES]
    for line in (
        "avsession_ready 0",
        'avsession_not_ready{problem="draining"} 1',
        "avsession_draining 1",
        "avsession_certificate_ends_seconds 1800000000",
        "avsession_certificate_problem 1",
        f"avsession_backup_seconds {examples.NOW // 1000}",
        f"avsession_backup_checked_seconds {examples.NOW // 1000}",
        "avsession_backup_leaves 18",
        "avsession_audit_problems 0",
        "avsession_standbys 1",
    ):
        assert line in said.splitlines()


async def test_messages_that_nobody_took_are_counted(site: Site) -> None:
    async with site.app.store.write() as tx:
        for state, count in ((DEAD, 2), (WAITING, 1)):
            for number in range(count):
                await tx.add(
                    Delivery(
                        id=f"msg_{state}{number}", endpoint="crm", kind="session.ended", leaf=None,
                        body=b"{}", state=state, made_ms=1, since_ms=1, due_ms=1,
                    )
                )  # fmt: skip
    said = (await site.get("/metrics")).body.decode().splitlines()
    for state, count in ((DEAD, 2), (WAITING, 1), (SENT, 0)):
        assert f'avsession_webhook_deliveries{{state="{state}"}} {count}' in said


async def test_what_is_not_known_is_not_shown(site: Site) -> None:
    said = (await site.get("/metrics")).body.decode()
    assert "avsession_certificate_ends_seconds" not in said
    assert "avsession_backup_" not in said
    site.app.ready.last_backup = lambda: replace(backups.LAST, whole=False)
    said = (await site.get("/metrics")).body.decode()
    assert "avsession_backup_leaves 18" in said
    assert "avsession_backup_checked_seconds" not in said, "it was checked, and is not whole"


def test_the_document_is_the_table() -> None:
    file = Path(metrics.__file__).with_name("METRICS.md")
    assert file.read_text("utf-8") == metrics.document()
    assert metrics.document().startswith(HEAD)
