"""Ranges of figures, and days."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from avsession.privacy.quality import FIGURES, KEEP_DAYS, day_of, oldest

DAY_MS = 86_400_000
LANGUAGE = Path(__file__).parents[3] / "web" / "static" / "language"


@pytest.mark.parametrize("name", FIGURES)
def test_every_value_is_in_one_range(name: str) -> None:
    figure = FIGURES[name]
    assert all(low < high for low, high in pairwise((0, *figure.bounds, figure.most + 1)))
    assert figure.range_of(0) == 0
    for n, bound in enumerate(figure.bounds):
        assert (figure.range_of(bound - 1), figure.range_of(bound)) == (n, n + 1)
    assert figure.range_of(figure.most) == len(figure.bounds)


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_admin_s_page_has_words_for_each(language: str) -> None:
    texts = json.loads((LANGUAGE / f"{language}.json").read_text("utf-8"))
    for name, figure in FIGURES.items():
        assert texts.get(f"figure.{name}")
        assert texts.get(f"unit.{figure.unit}")


def test_a_day_is_utc_s() -> None:
    assert day_of(0) == "1970-01-01"
    assert day_of(DAY_MS - 1) == "1970-01-01"
    assert day_of(DAY_MS) == "1970-01-02"


def test_a_day_is_kept_for_so_long() -> None:
    now = 1_750_000_000_000
    assert oldest(now) == day_of(now - (KEEP_DAYS - 1) * DAY_MS)
