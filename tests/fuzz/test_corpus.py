"""Every hostile input that was thought of or found, and what must happen with it."""

from pathlib import Path

import pytest

from tests.fuzz import corpus
from tests.fuzz.corpus import Case
from tests.fuzz.targets import TARGETS, decode


@pytest.mark.parametrize("case", corpus.cases(), ids=lambda case: case.name)
def test_what_must_happen_happens(case: Case) -> None:
    case.check()


def test_every_target_has_its_cases() -> None:
    assert {case.target for case in corpus.cases()} == set(TARGETS)
    for case in corpus.cases():
        assert case.why
        assert case.name.startswith(case.target)


def test_what_is_found_is_kept_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "FOLDER", tmp_path)
    steps = b"\x00\x00\x03abc" + b"\x03\x00\x40" + b"\x02\x00\x01z" + b"\x01\x00\x00"
    path = corpus.write("receiver", steps, "found by the fuzzer")
    (case,) = corpus.cases()
    assert case.steps == tuple(decode(steps))
    assert "take 616263\nwait 64\nrtcp 7a\n" in path.read_text()
    case.check()
    corpus.write("rtp", b"\x80" * 300, "found by the fuzzer")
    assert {case.data for case in corpus.cases()} == {b"", b"\x80" * 300}
    for text in ("target: rtp\n\n", "target: none\nwhy: x\nexpect: y\n\n"):
        (tmp_path / "broken.txt").write_text(text)
        with pytest.raises(ValueError, match="needed"):
            corpus.cases()
