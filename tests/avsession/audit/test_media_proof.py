"""What a proof came to, as its readers ask."""

from avsession.audit.findings import Finding
from avsession.audit.media_proof import STEPS, Proof


def proof(*findings: Finding) -> Proof:
    counts = dict.fromkeys(STEPS, 0)
    for one in findings:
        counts[one.step] += 1
    return Proof(
        recording="rec", finished=True, erased=False, segments=0, intervals=(),
        findings=findings, counts=counts, skipped=(),
    )  # fmt: skip


def test_it_holds_when_nothing_was_found() -> None:
    assert (proof().ok, proof().first) == (True, None)


def test_the_first_finding_is_named_in_words() -> None:
    first, second = Finding(2, "entry 3", "is gone"), Finding(6, "entry 4", "is outside")
    found = proof(first, second)
    assert (found.ok, found.first, str(first)) == (False, first, "entry 3: is gone")
