"""docker-compose.yml starts what exists, with settings that exist, and gives it little."""

import re
from pathlib import Path
from typing import Any

import yaml

from avsession.config import load

ROOT = Path(__file__).parent.parent


def service() -> dict[str, Any]:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    found: dict[str, Any] = compose["services"]["avsession"]
    return found


def test_it_gets_no_more_than_it_needs() -> None:
    given = service()
    assert given["user"].split(":")[0] not in {"0", "root"}
    assert given["read_only"] is True
    assert given["cap_drop"] == ["ALL"]
    assert given["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "pid", "ipc"} & given.keys()


def test_image_and_service_run_as_the_same_user() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert f"USER {service()['user']}" in dockerfile.splitlines()


def test_its_settings_are_settings_and_enough_for_a_public_address() -> None:
    """Each is known to avsession, which refuses unknown ones and names what is missing."""
    filled = {}
    for name, value in service()["environment"].items():
        default = re.fullmatch(r"\$\{(\w+)(?::-(.*)|:\?.*)\}", value)
        if default is None:
            filled[name] = value
        else:
            assert default[1] == name, "one name for a setting, inside and outside"
            filled[name] = default[2] or "filled in"
    filled["AVSESSION_PUBLIC_URL"] = "https://calls.example.com:8443"
    settings = load(None, filled)
    assert (settings.listen, settings.data) == ("0.0.0.0", "/data")


def test_its_secrets_are_declared() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    paths = {f"/run/secrets/{name}" for name in compose["secrets"]}
    environment = compose["services"]["avsession"]["environment"]
    used = {value for value in environment.values() if value.startswith("/run/secrets/")}
    assert used == paths
