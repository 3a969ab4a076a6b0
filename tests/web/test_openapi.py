"""The description: valid in itself, and true of the application."""

import re
from typing import Any

import pytest

from tests.web.support import ORIGIN, Site
from web.app import TABLE
from web.openapi import document
from web.problems import MEDIA
from web.routing import Nothing

DOCUMENT = document(TABLE, ORIGIN)
OPERATIONS = [
    (path, method, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def references(value: Any) -> list[str]:
    """Every $ref below ``value``."""
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [ref for item in value.values() for ref in references(item)]
    if isinstance(value, list):
        return [ref for item in value for ref in references(item)]
    return []


async def test_it_is_what_the_application_serves(site: Site) -> None:
    answer = await site.get("/api/openapi.json")
    assert answer.status == 200
    assert answer.json == DOCUMENT


def test_every_route_is_described_once() -> None:
    assert {(method.upper(), path) for path, method, _ in OPERATIONS} == {
        (route.method, route.path) for route in TABLE
    }
    names = [operation["operationId"] for *_, operation in OPERATIONS]
    assert len(set(names)) == len(names)


def test_the_top_is_as_openapi_3_1_asks() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["info"].keys() >= {"title", "version"}
    assert DOCUMENT["servers"] == [{"url": ORIGIN}]
    assert DOCUMENT.keys() <= {"openapi", "info", "servers", "paths", "components"}
    assert all(path.startswith("/") for path in DOCUMENT["paths"])


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    found = set(references(DOCUMENT))
    assert found == {f"#/components/schemas/{name}" for name in schemas}


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=lambda v: str(v)[:60])
def test_an_operation_is_whole(path: str, method: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    parameters = operation.get("parameters", [])
    assert all(p.keys() >= {"name", "in", "schema"} for p in parameters)
    places = [(p["in"], p["name"]) for p in parameters]
    assert len(set(places)) == len(places)
    in_path = {p["name"] for p in parameters if p["in"] == "path"}
    assert in_path == set(re.findall(r"{(\w+)}", path))
    assert all(p["required"] for p in parameters if p["in"] == "path")
    assert ("requestBody" in operation) == (method == "post")
    assert (("header", "X-Avsession") in places) == (method == "post")
    for status, response in operation["responses"].items():
        assert re.fullmatch(r"[2-5]\d\d", status)
        assert response["description"]
    schemes = DOCUMENT["components"]["securitySchemes"]
    assert all(name in schemes for need in operation["security"] for name in need)
    assert bool(operation["security"]) == ("401" in operation["responses"]) or "sign-in" in path


def test_a_body_s_fields_are_described_with_their_limits() -> None:
    schema = DOCUMENT["components"]["schemas"]["SignIn"]
    assert schema["required"] == ["login", "password"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["password"]["maxLength"] == 1024
    bodies = {route.body.__name__ for route in TABLE if route.writes and route.body is not Nothing}
    assert bodies <= DOCUMENT["components"]["schemas"].keys()


async def test_the_status_it_names_is_the_one_that_is_given(site: Site) -> None:
    for route in TABLE:
        if route.signed_in:
            path = re.sub(r"{sha256}", "a" * 64, route.path)
            path = re.sub(r"{\w+}", "ses_" + "a" * 26, path)
            answer = await site.ask(route.method, path, json={} if route.writes else None)
            responses = DOCUMENT["paths"][route.path][route.method.lower()]["responses"]
            examples = responses[str(answer.status)]["content"][MEDIA]["examples"]
            assert examples[answer.code]["value"] == answer.json
