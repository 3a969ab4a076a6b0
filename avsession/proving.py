"""``avsession recording verify``: that stored media is bound to consent; changes nothing."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TextIO

import msgspec

from avsession import auditing
from avsession.audit.findings import MOST, Finding
from avsession.audit.media_proof import STEPS, Proof
from avsession.config import Settings
from avsession.errors import NotFound, SettingsInvalid
from avsession.ports import Reader
from avsession.records import Recording
from avsession.storage.anchor import FileAnchor
from avsession.storage.folders import FolderObjects
from avsession.usecases import binding, evidence

EVERY_S = 0.2
"""How often the progress is drawn anew."""
AT_ONCE = 1000
"""Recordings' rows that are read at once."""
PROVEN = "Every stored interval lies inside consent."


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The log, and each recording that was asked for."""

    leaves: int
    signed: int
    wrong: tuple[str, ...]
    """What does not hold of the log; nothing is proven then."""
    proofs: tuple[Proof, ...]

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return not self.wrong and all(proof.ok for proof in self.proofs)


class Progress:
    """What is being done, on a terminal; elsewhere nothing."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._live = out, out.isatty()
        self._drawn = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        """Draw how far it is, if it is time to."""
        now = time.monotonic()
        if self._live and (now - self._drawn >= EVERY_S or done >= total):
            self._drawn = now
            self._out.write(f"\r\x1b[K{what}: {done:,} of {total:,}")
            self._out.flush()

    def close(self) -> None:
        """Leave the terminal's line clean."""
        if self._live:
            self._out.write("\r\x1b[K")
            self._out.flush()


async def verify(settings: Settings, wanted: str | None) -> Report:
    """Prove one recording, or with None every one that the log or the database knows.

    Raises SettingsInvalid when there is no log or no such recording, Unavailable when something
    cannot be read. Sealed files are read, not opened: no key that opens media is touched.
    """
    progress = Progress(sys.stderr)
    try:
        async with auditing.opened(settings) as (files, store, public):
            objects = FolderObjects(files.root / "objects", files.root / "spool")
            kept = await evidence.kept((FileAnchor(files.root / "anchor"),))
            async with store.read() as tx:
                found = await binding.scan(tx, public, kept, progress)
                proofs = [
                    await _prove(tx, objects, recording, session, found.signed, progress)
                    for recording, session in (await _wanted(tx, found, wanted)).items()
                ]
    finally:
        progress.close()
    return Report(
        leaves=found.size, signed=found.signed, wrong=tuple(found.wrong), proofs=tuple(proofs)
    )


async def _wanted(tx: Reader, found: binding.Scan, wanted: str | None) -> dict[str, str]:
    """Recordings and their sessions' pseudonyms: those of the log, then rows that it lacks."""
    if wanted is not None:
        session = found.recordings.get(wanted) or await binding.session_of(tx, wanted)
        if session is None:
            raise SettingsInvalid(f"There is no recording {wanted}.")
        return {wanted: session}
    known = dict(found.recordings)
    last = ""
    while rows := await tx.find(Recording, order="id", above=last, limit=AT_ONCE):
        for row in rows:
            if row.id not in known:
                known[row.id] = await binding.session_of(tx, row.id) or ""
        last = rows[-1].id
    return known


async def _prove(
    tx: Reader,
    objects: FolderObjects,
    recording: str,
    session: str,
    signed: int,
    progress: Progress,
) -> Proof:
    try:
        gathered = await binding.gather(
            tx, objects, recording, session, reading=True, progress=progress
        )
    except (ValueError, NotFound) as error:
        return failed(recording, str(error))
    return await binding.prove(gathered, signed)


def failed(recording: str, what: str) -> Proof:
    """A proof that could not even be begun."""
    return Proof(
        recording=recording, finished=False, erased=False, segments=0, intervals=(),
        findings=(Finding(1, recording, what),), counts={**dict.fromkeys(STEPS, 0), 1: 1},
        skipped=tuple(STEPS)[1:],
    )  # fmt: skip


def as_json(report: Report) -> str:
    """The report for a script."""
    return json.dumps(
        {
            "ok": report.ok,
            "log": {"leaves": report.leaves, "signed": report.signed, "wrong": report.wrong},
            "recordings": [
                {
                    "recording": proof.recording,
                    "ok": proof.ok,
                    "finished": proof.finished,
                    "erased": proof.erased,
                    "segments": proof.segments,
                    "steps": [
                        {"step": step, "what": what, "result": _result(proof, step),
                         "wrong": proof.counts[step]}
                        for step, what in STEPS.items()
                    ],
                    "findings": msgspec.to_builtins(proof.findings),
                }
                for proof in report.proofs
            ],
        }
    )  # fmt: skip


def as_text(report: Report) -> str:
    """The report for a person: each step with its result; of many recordings, a line each that
    holds."""
    verdict = "; ".join(report.wrong) if report.wrong else "ok"
    lines = [
        (
            f"The log: {report.leaves} leaves, {report.signed} of them under the newest signed "
            f"checkpoint: {verdict}"
        )
    ]
    for proof in report.proofs:
        lines += _lines(proof, short=len(report.proofs) > 1 and proof.ok)
    if len(report.proofs) != 1:
        good = sum(proof.ok for proof in report.proofs)
        lines.append(f"{good} of {len(report.proofs)} recordings proven.")
    if report.wrong:
        lines.append("NOTHING is proven: the log itself does not hold. See avsession audit verify.")
    return "\n".join(lines)


def _lines(proof: Proof, *, short: bool) -> Iterable[str]:
    if short:
        return [f"{proof.recording}: {_verdict(proof)}"]
    lines = [f"{proof.recording}: {proof.segments} stored segments"]
    for step, what in STEPS.items():
        lines.append(f"{step}. {what}: {_result(proof, step)}")
        lines += [f"   {finding}" for finding in _of(proof.findings, step)]
        if proof.counts[step] > MOST:
            lines.append(f"   and {proof.counts[step] - MOST} more")
    return [*lines, _verdict(proof)]


def _of(findings: Sequence[Finding], step: int) -> list[Finding]:
    return [one for one in findings if one.step == step]


def _result(proof: Proof, step: int) -> str:
    if proof.counts[step]:
        return "wrong"
    return "skipped" if step in proof.skipped else "ok"


def _verdict(proof: Proof) -> str:
    first = proof.first
    if first is not None:
        return f"NOT proven. First: step {first.step}, {first}"
    if proof.erased:
        return "It was destroyed, and nothing of it is left."
    return PROVEN if proof.finished else f"{PROVEN} (It is not finished: so far.)"
