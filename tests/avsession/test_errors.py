"""Errors: the tree in the docstring is the tree there is, and codes are stable and alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from avsession import errors
from avsession.errors import AvsessionError, Invalid, TooMany, Unavailable


def below(kind: type[AvsessionError]) -> Iterator[type[AvsessionError]]:
    """Every kind of error under this one that the module defines."""
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from below(child)


ALL: list[type[AvsessionError]] = [AvsessionError, *below(AvsessionError)]

# On the wire and in the api, for as long as there are pages that know them.
CODES = """
    error invalid message.invalid sdp.refused consent.notice_mismatch consent.purposes
    grant.invalid grant.expired grant.stale manifest.broken recording.truncated settings.invalid
    refused auth.required auth.failed link.spent ticket.refused not_permitted origin.refused
    consent.required too_many not_found conflict consent.answered consent.request_over
    consent.asking_ended session.over segment.refused recording.erased unavailable
    checkpoint.invalid proof.invalid log.signer log.broken log.shrunk log.forked
    log.anchor_missing log.anchor_invalid custody.refused custody.moved custody.unavailable
"""


def drawn() -> dict[str, str]:
    """Each name in the docstring's tree, and the name of what it hangs under."""
    parents: dict[str, str] = {}
    branch = twig = ""
    for line in (errors.__doc__ or "").splitlines():
        if start := re.match(r"    [├└]── (\w+)", line):
            branch = start[1]
            parents[branch] = "AvsessionError"
        elif re.match(r"    [│ ]   [├└]── ", line):
            names = re.findall(r"\w+", line)
            parents |= dict.fromkeys(names, branch)
            twig = names[-1]
        elif re.match(r"    [│ ]   [│ ]   [├└]── ", line):
            parents |= dict.fromkeys(re.findall(r"\w+", line), twig)
    return parents


def test_the_tree_is_drawn_as_it_grows() -> None:
    grown = {kind.__name__: kind.__base__.__name__ for kind in ALL[1:] if kind.__base__}
    assert drawn() == grown


def test_codes_stay_as_they_are_and_mean_one_thing() -> None:
    codes = [kind.code for kind in ALL]
    assert len(set(codes)) == len(codes)
    assert set(CODES.split()) <= set(codes)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_has_a_sentence_for_a_person(kind: type[AvsessionError]) -> None:
    assert str(kind()) == kind.sentence
    assert re.fullmatch(r"[A-Z].*[.]", kind.sentence)
    assert kind.__doc__


def test_a_better_sentence_takes_the_place_of_the_usual_one() -> None:
    assert str(Invalid("The third one.")) == "The third one."


def test_the_page_says_again_what_was_not_refused_for_good() -> None:
    """The gate stays closed until it has: what took nothing back may not be the last word."""
    page = (Path(__file__).parents[2] / "web/static/signaling.js").read_text()
    found = re.search(r"RETRY_CODES = new Set\(\[(.*?)\]\)", page, re.DOTALL)
    assert found
    passing: list[type[AvsessionError]] = [
        AvsessionError,
        TooMany,
        Unavailable,
        *below(Unavailable),
    ]
    assert sorted(re.findall(r'"(.*?)"', found[1])) == sorted(kind.code for kind in passing)
