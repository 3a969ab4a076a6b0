"""A detail may be missing only where an erasure says so, and after one none may be left."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from avsession.audit.absence import Fault, faults


def leaf(index: int, subject: str | None, *fields: str, **refs: Any) -> bytes:
    body = {
        "index": index,
        "kind": "subject.erased" if refs else "consent.given",
        "subject": subject,
        "refs": refs,
        "commitments": dict.fromkeys(fields, "00"),
    }
    return json.dumps(body).encode()


LOG = [leaf(0, "psn_a", "name"), leaf(1, "psn_b", "name"), leaf(2, None, "reason", "account")]
ALL = {(0, "name"), (1, "name"), (2, "reason"), (2, "account")}
ERASED = leaf(3, "psn_a", party="psn_a", texts=[2])


def test_a_whole_log_has_no_faults() -> None:
    assert faults(LOG, ALL) == []


def test_a_detail_that_went_without_an_erasure_is_named() -> None:
    assert faults(LOG, ALL - {(1, "name")}) == [Fault(1, "name", "missing")]


def test_an_erasure_allows_its_own_partys_details_and_the_texts_it_names() -> None:
    assert faults([*LOG, ERASED], ALL - {(0, "name"), (2, "reason")}) == []


def test_an_erasure_allows_nothing_else() -> None:
    assert faults([*LOG, ERASED], set()) == [
        Fault(1, "name", "missing"),
        Fault(2, "account", "missing"),
    ]


def test_what_an_erasure_left_is_named() -> None:
    assert faults([*LOG, ERASED], ALL) == [Fault(0, "name", "left"), Fault(2, "reason", "left")]


def test_an_erasure_says_nothing_of_what_comes_after_it() -> None:
    later = [ERASED, leaf(4, "psn_a", "name"), leaf(5, None, "reason")]
    assert faults(later, {(5, "reason")}) == [Fault(4, "name", "missing")]
    early = leaf(3, "psn_a", party="psn_a", texts=[5])
    assert faults([early, leaf(5, None, "reason")], set()) == [Fault(5, "reason", "missing")]


def test_a_reference_that_is_none_allows_nothing() -> None:
    odd = leaf(3, None, party=None, texts=["2"])
    assert faults([*LOG, odd], set()) == faults(LOG, set())


@given(
    subjects=st.lists(st.sampled_from(["psn_a", "psn_b", None]), max_size=8),
    gone=st.sets(st.integers(0, 7)),
    erased=st.booleans(),
)
def test_by_whatever_is_missing(subjects: list[str | None], gone: set[int], erased: bool) -> None:
    """Faults are exactly the details whose absence and whose permission to be absent differ."""
    log = [leaf(n, subject, "name") for n, subject in enumerate(subjects)]
    if erased:
        log.append(leaf(len(log), "psn_a", party="psn_a", texts=[]))
    there = {(n, "name") for n in range(len(subjects)) if n not in gone}
    expected = {
        n for n, subject in enumerate(subjects) if (n in gone) != (erased and subject == "psn_a")
    }
    assert {fault.leaf for fault in faults(log, there)} == expected
