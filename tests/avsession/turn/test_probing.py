"""``avsession doctor`` on real coturns: right ones, and each way in which one is not."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from avsession import keys
from avsession.config import Settings
from avsession.doctor import CHECKS, Finding
from avsession.errors import SettingsInvalid
from avsession.serve import Files
from avsession.turn.probing import (
    KEY_DIFFERS,
    NOT_ITSELF,
    OPEN,
    SILENT,
    UNTRUSTED,
    probe_all,
)
from avsession.turn.settings import Turn
from tests.support.coturn import LOOPBACK, ON_LOOPBACK, Relay, running, settings_for
from tests.support.ports import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def relay(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Relay]:
    """coturn over UDP, TCP and TLS; of loopback only 127.0.0.1 is a peer."""
    folder = tmp_path_factory.mktemp("turn")
    made = keys.local_certificate(folder, datetime.datetime.now(datetime.UTC))
    turn = settings_for(folder, certificate=made[:2], allowed_peers=(LOOPBACK,))
    async with running(turn, folder) as started:
        yield started


def authority(relay: Relay) -> Path:
    """What signed its certificate."""
    return relay.log.parent / "ca.pem"


async def test_every_url_of_the_settings_is_tried(relay: Relay, tmp_path: Path) -> None:
    found = await probe_all(relay.turn, ca_file=authority(relay))
    assert [one.url for one in found] == list(relay.turn.urls)
    assert all(one.allocation and not one.sentence for one in found), found
    (tmp_path / "other").write_text("e" * 64)
    wrong = Turn(
        urls=(relay.url("transport=udp"), f"turn:{LOOPBACK}:{free_port()}?transport=tcp"),
        secret_file=str(tmp_path / "other"),
    )
    refused, silent = await probe_all(wrong, timeout_s=2)
    assert refused.allocation is None
    assert "401" in refused.sentence
    assert "secret" in refused.sentence
    assert "does not answer" in silent.sentence
    assert await probe_all(Turn()) == ()
    with pytest.raises(SettingsInvalid):
        await probe_all(Turn(urls=wrong.urls, secret_file=str(tmp_path / "none")))


async def doctor_says(turn: Turn, **more: object) -> Finding:
    """What ``avsession doctor`` finds of this relay."""
    settings = Settings(turn=turn, **more)  # type: ignore[arg-type]
    return await CHECKS["turn"](settings, Files.of(settings))


async def test_the_doctor_names_what_is_wrong_with_a_relay_and_the_cure(
    relay: Relay, tmp_path: Path
) -> None:
    """Its certificate is nobody's whom the system knows: so without the URL over TLS."""
    plain = tuple(url for url in relay.turn.urls if not url.startswith("turns:"))
    right = replace(relay.turn, urls=plain)
    found = await doctor_says(right)
    assert (found.result, found.do) == ("ok", "")
    assert all(url in found.found for url in plain)

    (tmp_path / "other").write_text("e" * 64)
    found = await doctor_says(replace(right, secret_file=str(tmp_path / "other")))
    assert found.result == "bad"
    assert "401" in found.found
    assert found.do == KEY_DIFFERS, "said once, for both"

    nobody = f"turn:{LOOPBACK}:{free_port()}?transport=tcp"
    found = await doctor_says(replace(right, urls=(nobody, plain[0])))
    assert found.result == "bad"
    assert found.found == f"{nobody}: The TURN server does not answer."
    assert found.do == SILENT

    found = await doctor_says(relay.turn)
    assert "certificate" in found.found
    assert found.do == UNTRUSTED
    assert plain[0] not in found.found


@pytest.mark.parametrize(
    ("peers", "extra", "found", "do"),
    [
        ((), (), f"It relays at {LOOPBACK} and refuses to relay to there.", NOT_ITSELF),
        ((LOOPBACK,), ("allowed-peer-ip=169.254.169.254",),
         "It relays to 169.254.169.254, an address inside.", OPEN),
    ],
    ids=["not to itself", "inside"],
)  # fmt: skip
async def test_the_doctor_tries_whereto_it_relays(
    tmp_path: Path, peers: tuple[str, ...], extra: tuple[str, ...], found: str, do: str
) -> None:
    turn = settings_for(tmp_path, allowed_peers=peers)
    async with running(turn, tmp_path, (*ON_LOOPBACK, *extra)):
        said = await doctor_says(turn)
        assert (said.result, said.do) == ("bad", do)
        assert said.found.count(found) == len(turn.urls)
        if extra:
            wanted = replace(turn, allowed_peers=(LOOPBACK, "169.254.0.0/16"))
            assert (await doctor_says(wanted)).result == "ok", "it was wanted"
