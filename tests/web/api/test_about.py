import pytest

from avsession.config import Controller
from avsession.errors import Unavailable
from tests.web.support import ORIGIN, Site, Story, same_shape
from web.api.about import about, controller, languages
from web.app import TABLE

EXAMPLES = {route.path: route.answer for route in TABLE}


async def test_what_the_pages_need_to_know(site: Site) -> None:
    answer = await site.get("/api/about")
    assert answer.status == 200
    assert answer.json == about(site.app.settings, "0.1.0+test")
    same_shape(EXAMPLES["/api/about"], answer.json)
    assert answer.json["origin"] == ORIGIN
    assert answer.json["languages"] == ["en", "de"]
    assert answer.json["consent"] == {"answer_s": 60, "warn_s": 40, "fate_s": 120}


async def test_no_secret_of_the_settings_is_in_it(site: Site) -> None:
    text = (await site.get("/api/about")).body.decode()
    for private in ("database", "certificate", "ice_servers", "credential", "listen"):
        assert private not in text


def test_the_controller_is_named_in_full() -> None:
    assert controller(Controller()).keys() == {"name", "address", "contact", "dpo", "authority"}


def test_english_comes_first() -> None:
    assert languages()[0] == "en"


async def test_health(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = await site.get("/healthz")
    assert (answer.status, answer.body) == (200, b'{"status":"ok"}')

    def gone(self: object) -> object:
        raise Unavailable

    monkeypatch.setattr(type(site.app.store), "read", gone)
    assert (await site.get("/healthz")).status == 503


async def test_metrics_are_true(site: Site, story: Story) -> None:
    answer = await site.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = answer.body.decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert values['avsession_info{build="0.1.0+test"}'] == "1"
    assert values["avsession_sessions_open"] == "1"
    assert values['avsession_parties_seated{presence="present"}'] == "2"
    assert values['avsession_recordings{state="sealed"}'] == "1"
    assert values['avsession_recordings{state="erased"}'] == "0"
    assert values["avsession_recorder_workers"] == "0"
    assert values["avsession_staff_sessions"] == "2"
    assert int(values["avsession_audit_leaves"]) > 5
    named = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(set(named)) == len(named)


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Real-IP"])
async def test_metrics_are_not_for_whoever_a_proxy_asks_for(site: Site, header: str) -> None:
    answer = await site.get("/metrics", headers={header: "127.0.0.1"})
    assert answer.status == 403


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "", "unix", "::ffff:192.0.2.1"])
async def test_metrics_are_for_this_machine(
    site: Site, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr("web.auth.address", lambda _: address)
    assert (await site.get("/metrics")).status == 403
