"""Real recordings, proven from manifest and leaves alone; then each tampering, found and named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from avsession.audit.intervals import Said, Story
from avsession.audit.media_proof import File
from avsession.recording import Attach, Begin, Dropped, End, Sealed
from tests.avsession.audit.recordings import Made


def test_an_honest_recording_is_proven(made: Made, other: Made) -> None:
    for one in (made, other):
        proof = one.proof()
        assert (proof.ok, proof.first, proof.skipped, proof.segments) == (True, None, (), 8)
        assert proof.finished
        assert one.proof(files=False).skipped == (7,)


def test_every_stored_interval_lies_in_its_generation(made: Made) -> None:
    story = Story(made.leaves, made.recording)
    for one in made.proof().intervals:
        assert story.generations[one.generation].allows(one.from_ms, one.to_ms)
    spans = [(one.from_ms, one.to_ms) for one in story.generations.values()]
    assert spans[1][0] - (spans[0][1] or 0) == 3000


# --- step 1 and 2: the chain


def test_an_entry_is_dropped(made: Made) -> None:
    del made.lines[5]
    assert made.found() == (1, "entry 5", "Entry 6 stands where 5 should.")


def test_an_entry_is_dropped_and_the_chain_made_to_fit(made: Made) -> None:
    entries = made.entries
    del entries[5]
    made.sign(entries, head=False)
    assert made.found() == (2, "entry 11", "is gone: the log counts 12")


def test_two_entries_change_places(made: Made) -> None:
    made.lines[4], made.lines[5] = made.lines[5], made.lines[4]
    assert made.found()[:2] == (1, "entry 4")


def test_the_manifest_is_cut_short(made: Made) -> None:
    for length in range(len(made.lines)):
        short = made.copy()
        short.lines = made.lines[:length]
        step, where, _ = short.found()
        assert (step, where) == ((1, "manifest") if not length else (2, f"entry {length}"))


def test_an_entry_follows_the_end(made: Made) -> None:
    made.lines.append(made.lines[-1])
    assert made.found()[:2] == (1, "entry 12")


def test_another_head(made: Made) -> None:
    sealed = made.change("recording.sealed", manifest="0" * 64)
    assert made.found() == (2, "entry 11", f"is not the head that leaf {sealed.index} names")


def test_another_recorder_signed(made: Made) -> None:
    made.key = Ed25519PrivateKey.generate()
    made.sign(made.entries)
    assert made.found() == (1, "entry 0", "Entry 0 is not signed by the recorder.")


def test_the_whole_manifest_of_another_recording(made: Made, other: Made) -> None:
    made.lines = other.lines
    assert made.found() == (1, "entry 0", f"it is an entry of {other.recording}")


def test_what_is_no_entry(made: Made) -> None:
    for rubbish in (b"", b"{}", b"\xff", b"[" * 60_000):
        made.lines[3] = rubbish
        assert made.found()[:2] == (1, "entry 3")


def test_a_sealed_recording_without_its_end(made: Made) -> None:
    made.sign([one for one in made.entries if not isinstance(one, End)])
    assert made.found() == (2, "entry 10", "is not an end")


# --- step 3 and 4: grants


def test_a_forged_attach(made: Made) -> None:
    where = made.edit(Attach, 1, generation=9)
    assert made.found() == (3, where, "the log has no grant of generation 9")


def test_an_attach_under_another_grant(made: Made) -> None:
    where = made.edit(Attach, 0, grant="0" * 64)
    step, place, what = made.found()
    assert (step, place) == (3, where)
    assert what.startswith("is under another grant than leaf ")


def test_nothing_was_attached(made: Made) -> None:
    made.sign([one for one in made.entries if not isinstance(one, Attach)])
    assert made.found()[0] == 3
    assert made.found()[2] == "nothing was attached under generation 1"


def test_a_key_that_no_leaf_created(made: Made) -> None:
    made.leaves = [one for one in made.leaves if one.kind != "key.created"]
    assert made.found()[:2] == (3, "entry 0")
    assert "no leaf created the key of" in made.found()[2]


def test_a_key_of_somebody_else(made: Made) -> None:
    begin = made.entries[0]
    assert isinstance(begin, Begin)
    tracks = (replace(begin.tracks[0], recipient="age1somebodyelse"), *begin.tracks[1:])
    made.edit(Begin, 0, tracks=tracks)
    assert "is not the one of leaf" in made.found()[2]


def test_a_consent_that_is_gone(made: Made) -> None:
    gone = next(one for one in made.leaves if one.kind == "consent.given")
    made.leaves.remove(gone)
    proof = made.proof()
    assert proof.first is not None
    assert (proof.first.step, proof.counts[4]) == (4, 2)
    assert gone.subject is not None
    assert proof.first.what == f"somebody who was present had not consented ({gone.subject})"
    assert proof.counts[6] == 8  # nothing under such a grant lies inside consent


def test_a_grant_names_a_track_of_somebody_who_was_not_there(made: Made) -> None:
    made.change("grant.issued", owners=["psn-ghost", "psn-ghost"])
    assert made.found()[0] == 4
    assert made.found()[2] == "names a track of psn-ghost, who was not present"


# --- step 5: segments


def test_a_segment_of_another_recording(made: Made, other: Made) -> None:
    foreign = other.sealed(2)
    where = made.edit(Sealed, 2, track=foreign.track, sha256=foreign.sha256)
    assert made.found()[0] == 3
    assert made.found()[1].startswith(where)
    assert made.found()[2] == "its track is none of this recording's"


def test_a_segment_is_replayed(made: Made) -> None:
    first = made.sealed(2)
    where = made.edit(Sealed, 4, sha256=first.sha256, size=first.size)
    step, place, what = made.found()
    assert (step, what) == (5, f"is the same file as {first.track}/{first.index:06d}")
    assert place.startswith(where)


def test_an_index_is_left_out(made: Made) -> None:
    made.edit(Sealed, 4, index=7)
    assert made.found()[0] == 5
    assert made.found()[2] == "segment 2 of that track was to follow"


def test_segments_overlap(made: Made) -> None:
    last = made.sealed(6)
    made.edit(Sealed, 6, start_ms=last.start_ms - 4000)
    assert made.found()[0] == 5
    assert made.found()[2] == "begins before the one before it ends"


def test_the_kept_segments_are_others_than_the_log_says(made: Made) -> None:
    said = made.leaves[-1].refs["segments"]
    made.change("recording.sealed", segments=[{**said[0], "count": 3}, said[1]])
    assert made.found()[0] == 5
    assert made.found()[2].startswith(f"counts 3 kept segments of {said[0]['track']}")
    made.change("recording.sealed", segments=said[:1])
    assert made.found()[2].startswith(f"counts 0 kept segments of {said[1]['track']}")


# --- step 6: consent


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("consent.withdrawn", "ms after consent.withdrawn"),
        ("recording.paused", "ms after recording.paused"),
        ("party.left", "ms after party.left"),
    ],
)
def test_consent_had_ended_before(made: Made, kind: str, what: str) -> None:
    """A leaf that says so stands where the first generation was still open."""
    granted = next(n for n, one in enumerate(made.leaves) if one.kind == "grant.issued")
    said = made.leaves[granted]
    given = next(one for one in made.leaves if one.kind == "consent.given")
    refs = {"request": given.refs["request"], "recording": made.recording}
    made.leaves.insert(
        granted + 1, Said(said.index, said.time, kind, said.session, given.subject, refs)
    )
    made.leaves = [replace(one, index=n) for n, one in enumerate(made.leaves)]
    first = made.proof().findings
    named = [one for one in first if one.step == 6]
    assert named[0].where.startswith("entry 2 (")
    assert what in named[0].what


def test_a_segment_reaches_into_the_pause(made: Made) -> None:
    late = made.sealed(2)
    where = made.edit(Sealed, 2, captured_ms=late.captured_ms + 500)
    step, place, what = made.found()
    assert (step, place.startswith(where)) == (6, True)
    assert what.startswith("ends 498 ms after grant.revoked (leaf ")
    made.edit(Sealed, 2, captured_ms=late.captured_ms + 1500, uncertainty_ms=9_000.0)
    assert made.proof().counts[6] == 1  # being less sure does not help


def test_a_segment_began_before_its_grant(made: Made) -> None:
    early = made.sealed(4)  # the first of the second generation
    where = made.edit(Sealed, 4, start_ms=early.start_ms - 2500)
    step, place, what = made.found()
    assert (step, place.startswith(where)) == (6, True)
    assert "ms before its grant" in what
    less = {"uncertainty_ms": 9_000.0, "captured_ms": early.captured_ms + 1500}
    made.edit(Sealed, 4, start_ms=early.start_ms - 2500, **less)
    assert made.proof().counts[6] == 1  # being less sure does not help


def test_a_clock_that_was_set_moves_nothing(made: Made) -> None:
    """The second half of the recording happened an hour later by the server's clock."""
    hour = 3_600_000
    resumed = next(n for n, one in enumerate(made.leaves) if one.kind == "recording.resumed")
    for n, one in enumerate(made.leaves[resumed:], resumed):
        closed = {"closed_ms": one.refs["closed_ms"] + hour} if "closed_ms" in one.refs else {}
        later = one.time.replace("T15", "T16")
        made.leaves[n] = replace(one, time=later, refs=one.refs | closed)
    entries = [
        replace(one, captured_ms=one.captured_ms + hour)
        if isinstance(one, Sealed) and one.generation == made.sealed(7).generation
        else one
        for one in made.entries
    ]
    made.sign(entries)
    assert made.proof().first is None


def test_less_than_no_uncertainty(made: Made) -> None:
    late = made.sealed(2)
    made.edit(Sealed, 2, captured_ms=late.captured_ms + 500, uncertainty_ms=-600.0)
    assert made.found()[0] == 6
    assert made.found()[2] == "its uncertainty is less than nothing"


# --- step 7: files


def test_a_file_is_gone(made: Made) -> None:
    one = made.sealed(3)
    del made.files[one.track, one.index]
    name = f"{one.track}/{one.index:06d}"
    assert made.found() == (7, name, f"is gone, though entry {one.n} lists it")


def test_two_files_change_places(made: Made, other: Made) -> None:
    mine, theirs = made.sealed(3), other.sealed(3)
    made.files[mine.track, mine.index] = other.files[theirs.track, theirs.index]
    assert made.found()[0] == 7
    assert made.found()[2] == f"is not the file that entry {mine.n} lists"


def test_a_file_ends_early(made: Made) -> None:
    one = made.sealed(3)
    made.files[one.track, one.index] = File(one.size - 1)  # not even read
    assert made.found()[0] == 7


def test_a_file_too_many(made: Made) -> None:
    one = made.sealed(3)
    made.files[one.track, 99] = File(10, "0" * 64)
    assert made.found() == (7, f"{one.track}/000099", "is there, though no entry lists it as kept")


# --- what is no tampering


def _late(made: Made) -> Sealed:
    """A last segment that was captured after the end."""
    entries = made.entries
    last = made.sealed(6)
    late = replace(
        last, index=last.index + 1, start_ms=last.end_ms, end_ms=last.end_ms + 900,
        captured_ms=last.captured_ms + 900, sha256="1" * 64,
    )  # fmt: skip
    made.sign([*entries[:-1], late, entries[-1]])
    return made.sealed(8)


def test_a_segment_that_the_server_refused_is_not_stored(made: Made) -> None:
    late = _late(made)
    assert made.proof().ok
    assert made.proof().segments == 8
    made.files[late.track, late.index] = File(late.size, late.sha256)
    assert [n for n, count in made.proof().counts.items() if count] == [5, 6]


def test_a_dropped_segment_is_not_missed(made: Made) -> None:
    late = _late(made)
    entries = made.entries
    said = Dropped(
        recording=made.recording, n=0, prev="", at_ms=0, track=late.track, index=late.index,
        reason="segment.refused",
    )  # fmt: skip
    made.sign([*entries[:-1], said, entries[-1]])
    assert made.proof().ok


def test_what_still_runs_is_proven_as_far_as_it_is(made: Made) -> None:
    made.leaves = [one for one in made.leaves if one.kind != "recording.sealed"]
    made.lines = made.lines[:-1]
    proof = made.proof()
    assert (proof.ok, proof.finished, proof.skipped) == (True, False, (2,))


def _erased(made: Made, *, whole: bool) -> None:
    last = made.leaves[-1]
    tracks = {one.track for one in made.entries if isinstance(one, Sealed)}
    gone = sorted(tracks) if whole else sorted(tracks)[:1]
    refs = {
        "recording": made.recording, "whole": whole, "tracks": [{"track": one} for one in gone],
    }  # fmt: skip
    made.leaves.append(
        Said(last.index + 1, last.time, "recording.erased", last.session, None, refs)
    )


def test_a_destroyed_recording_has_nothing_left(made: Made) -> None:
    _erased(made, whole=True)
    step, where, _ = made.found()
    assert (step, where) == (7, "manifest")
    made.lines = []
    assert made.found()[2] == "is still there after it was destroyed"
    made.files = {}
    proof = made.proof()
    assert (proof.ok, proof.erased) == (True, True)


def test_a_destroyed_track_has_no_files_left(made: Made) -> None:
    _erased(made, whole=False)
    assert made.found()[2] == "is still there after its track was destroyed"
    gone = made.leaves[-1].refs["tracks"][0]["track"]
    made.files = {place: file for place, file in made.files.items() if place[0] != gone}
    assert made.proof().ok


def test_a_recording_that_the_log_does_not_know(made: Made) -> None:
    made.leaves = [one for one in made.leaves if one.kind != "grant.issued"]
    assert made.found() == (1, made.recording, "the log has no grant for it")


@pytest.mark.parametrize("what", ["lines", "leaves"])
def test_whatever_is_missing_nothing_crashes(made: Made, what: str) -> None:
    """And nothing is proven of less than everything that was needed."""
    needed = {"grant.issued", "consent.given", "party.joined", "key.created"}
    cut: Callable[[Made, int], object] = lambda one, n: getattr(one, what).pop(n)  # noqa: E731
    for n in range(len(getattr(made, what))):
        less = made.copy()
        gone = cut(less, n)
        own = isinstance(gone, Said) and (gone.kind != "key.created" or gone.ref("track"))
        if what == "lines" or (isinstance(gone, Said) and gone.kind in needed and own):
            assert not less.proof().ok
        else:
            less.proof()
