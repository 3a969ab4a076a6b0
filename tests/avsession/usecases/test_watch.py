"""What the standing sign says."""

from avsession.audit.checkpoint import Checkpoint
from avsession.audit.findings import STEPS, Finding
from avsession.audit.verify import Report
from avsession.usecases.watch import Watch

HEAD = Checkpoint("log", 5, b"", "")


def report(*findings: Finding) -> Report:
    counts = dict.fromkeys(STEPS, 0)
    for one in findings:
        counts[one.step] += 1
    return Report(size=7, root="", checkpoints=1, findings=findings, counts=counts)


def test_before_the_first_verification_nothing_is_claimed() -> None:
    state = Watch().state()
    assert (state["ok"], state["since_ms"], state["problem"]) == (False, None, None)


def test_since_when_it_verifies() -> None:
    watch = Watch()
    watch.verified(report(), HEAD, 100)
    watch.verified(report(), HEAD, 200)
    state = watch.state()
    assert (state["ok"], state["since_ms"], state["checked_ms"], state["size"]) == (
        True, 100, 200, 7,
    )  # fmt: skip
    watch.extended(Checkpoint("log", 9, b"", ""), 300)
    assert (watch.state()["size"], watch.state()["checked_ms"]) == (9, 300)


def test_what_is_wrong_stays_said_until_all_was_verified_again() -> None:
    watch = Watch()
    watch.verified(report(), HEAD, 100)
    watch.verified(report(Finding(2, "leaf 3", "is gone"), Finding(6, "x", "y")), HEAD, 200)
    state = watch.state()
    assert (state["ok"], state["problem"], state["count"]) == (False, "leaf 3: is gone", 2)
    watch.verified(report(), HEAD, 300)
    assert (watch.state()["ok"], watch.state()["since_ms"]) == (True, 300)
