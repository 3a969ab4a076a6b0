"""What changed: every word of both texts is there, in order, and only what changed is marked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from avsession import notices
from avsession.config import Settings
from avsession.notices.changes import Block, changes

WORDS = st.lists(st.sampled_from(["a", "bee", "Tag", "für", ".", "1.", "x-y"]), max_size=6)
TEXTS = st.lists(WORDS.map(" ".join), max_size=6).map("\n".join)


def read(blocks: tuple[Block, ...], gone: str) -> list[str]:
    """The paragraphs without the parts of this kind."""
    lines = ["".join(part.text for part in block if part.kind != gone) for block in blocks]
    return [line for line in lines if line]


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


@given(TEXTS, TEXTS)
def test_both_texts_can_be_read_from_it(old: str, new: str) -> None:
    blocks = changes(old, new)
    assert read(blocks, "added") == lines(old)
    assert read(blocks, "removed") == lines(new)
    assert all(part.text for block in blocks for part in block)


@given(TEXTS)
def test_the_same_has_no_changes(text: str) -> None:
    assert all(part.kind == "same" for block in changes(text, text) for part in block)


def test_a_word_is_marked_and_its_neighbours_are_not() -> None:
    (block,) = changes("We keep it for 30 days.", "We keep it for 60 days, then it goes.")
    assert [(part.kind, part.text) for part in block] == [
        ("same", "We keep it for "),
        ("removed", "30"),
        ("added", "60"),
        ("same", " days"),
        ("added", ", then it goes"),
        ("same", "."),
    ]


def test_what_has_nothing_in_common_is_not_mixed() -> None:
    blocks = changes("one two three\nsame", "vier fünf sechs\nsame")
    assert [[part.kind for part in block] for block in blocks] == [["removed"], ["added"], ["same"]]


def test_a_paragraph_that_moved_in_front_of_a_reworded_one() -> None:
    blocks = changes(
        "The first rule.\nThe last.", "A new one here.\nThe first rule now.\nThe last."
    )
    kinds = [[part.kind for part in block] for block in blocks]
    assert kinds == [["added"], ["same", "added", "same"], ["same"]]


def test_the_policy_s_own_versions() -> None:
    old, new = (notices.whole(notices.PRIVACY, v, "en", Settings()).text for v in ("1", "2"))
    blocks = changes(old, new)
    assert read(blocks, "added") == lines(old)
    assert read(blocks, "removed") == lines(new)
    assert ("same", "Privacy policy") in {(p.kind, p.text) for p in blocks[0]}
    assert any({p.kind for p in block} == {"same", "removed", "added"} for block in blocks)
