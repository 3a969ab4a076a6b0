import dataclasses
from pathlib import Path

import pytest

from avsession.usecases.services import Services
from tests.support.world import world


async def test_nothing_is_swapped_while_running(tmp_path: Path) -> None:
    async with world(tmp_path) as (app, _):
        with pytest.raises(dataclasses.FrozenInstanceError):
            app.build = "another"  # type: ignore[misc]


def test_what_has_a_default_is_safe_in_production() -> None:
    defaults = {
        field.name
        for field in dataclasses.fields(Services)
        if field.default_factory is not dataclasses.MISSING
        or field.default is not dataclasses.MISSING
    }
    assert defaults == {
        "passwords", "limits", "opened", "leftovers", "building", "figures", "readings", "watch",
        "schedule", "seated", "relay", "ready",
    }  # fmt: skip
