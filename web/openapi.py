"""``/api/openapi.json``, made from the very table that registers the handlers (OpenAPI 3.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from avsession import __version__
from avsession.errors import AvsessionError, OriginRefused, TlsRequired
from avsession.session import ID
from web import auth, problems
from web.access import ANYBODY, Access, By
from web.example import Part, schema_of
from web.middleware import MISDIRECTED, OPEN_PATHS, status_of
from web.routing import Call, Nothing, Route

DOCUMENT: web.AppKey[Mapping[str, Any]] = web.AppKey("openapi", Mapping)

SCHEMES = {By.STAFF: ("staff", auth.STAFF), By.SEAT: ("seat", auth.SEAT)}
SHA256 = "^[0-9a-f]{64}$"
REF = "#/components/schemas/{name}"

OUR_HEADER = {
    "name": "X-Avsession",
    "in": "header",
    "required": True,
    "description": "Always 1: what no form and no foreign page can send.",
    "schema": {"const": "1"},
}


async def get_document(call: Call[Nothing]) -> object:
    """The description of this api."""
    return call.request.app[DOCUMENT]


ROUTE = Route(
    method="GET",
    path="/api/openapi.json",
    handle=get_document,
    summary="This description",
    access=ANYBODY,
    answer=Part({"openapi": "3.1.0"}),
)


RANGE = {
    "name": "Range",
    "in": "header",
    "required": False,
    "description": "Which bytes (RFC 9110 section 14), one range at most; no unit but bytes.",
    "schema": {"type": "string"},
    "example": "bytes=0-1023",
}


def document(routes: Sequence[Route], address: str) -> dict[str, Any]:
    """The whole description; ``address`` is the server's public one, prefix included."""
    bodies = [route.body for route in routes if route.writes and route.body is not Nothing]
    _, components = msgspec.json.schema_components(bodies, ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "avsession",
            "version": __version__,
            "summary": "Support calls, recorded only with everyone's consent.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": address}],
        "paths": paths,
        "components": {
            "schemas": {**components, "Error": _error_schema()},
            "securitySchemes": {
                name: {"type": "apiKey", "in": "cookie", "name": cookie}
                for name, cookie in SCHEMES.values()
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "description": route.access.sentence,
        "security": _security(route.access),
        "responses": {str(route.status): _good(route), **_parts(route), **_bad(_told(route))},
    }
    if route.otherwise is not None:
        same = operation["responses"].setdefault(str(route.otherwise), _good(route))
        same["content"].update(_good(route)["content"])
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _in_path(name)}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    if route.writes:
        parameters.append(OUR_HEADER)
    elif route.body is not Nothing:
        parameters += _query(route)
    if route.ranges:
        parameters.append(RANGE)
    if parameters:
        operation["parameters"] = parameters
    if route.writes:
        schema = (
            {"$ref": REF.format(name=route.body.__name__)}
            if route.body is not Nothing
            else {"type": "object", "maxProperties": 0}
        )
        operation["requestBody"] = {
            "required": route.body is not Nothing,
            "content": {"application/json": {"schema": schema}},
        }
    return operation


def _security(access: Access) -> list[dict[str, list[str]]]:
    """The cookie, and the permission that it must bring: in OpenAPI 3.1 a list of roles."""
    if access.by not in SCHEMES:
        return []
    return [{SCHEMES[access.by][0]: [access.permission] if access.permission else []}]


def _in_path(name: str) -> dict[str, Any]:
    """Of another shape there is nothing (404)."""
    return {"type": "string", "pattern": SHA256 if name == "sha256" else ID}


def _operation_id(route: Route) -> str:
    words = re.findall(r"\w+", route.path.removeprefix("/api"))
    return "_".join([route.method.lower(), *words])


def _query(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": field.encode_name,
            "in": "query",
            "required": field.required,
            "schema": msgspec.json.schema(field.type),
        }
        for field in msgspec.structs.fields(route.body)
    ]


def _good(route: Route) -> dict[str, Any]:
    if route.media == "application/json":
        content: dict[str, Any] = {
            "schema": schema_of(route.answer),
            "example": route.answer,
        }
    elif route.media.startswith("text/"):
        content = {"schema": {"type": "string"}, "example": route.answer}
    else:
        content = {}
    kinds = (route.media, *route.other_media)
    return {"description": route.summary, "content": dict.fromkeys(kinds, content)}


def _parts(route: Route) -> dict[str, Any]:
    """The answers to who asks for a range."""
    if not route.ranges:
        return {}
    header = {"Content-Range": {"required": True, "schema": {"type": "string"}}}
    return {
        "206": {**_good(route), "description": "The bytes that were asked for", "headers": header},
        "416": {"description": "There are no such bytes; no body", "headers": header},
    }


def _told(route: Route) -> list[tuple[int, type[AvsessionError]]]:
    """Every error of a route with its status."""
    found = [(status_of(error), error) for error in route.all_errors]
    if route.path not in OPEN_PATHS:
        found += [(MISDIRECTED, OriginRefused), (status_of(TlsRequired), TlsRequired)]
    return found


def _bad(errors: Sequence[tuple[int, type[AvsessionError]]]) -> dict[str, Any]:
    """Answers by status; one status can stand for several codes."""
    by_status: dict[int, list[type[AvsessionError]]] = {}
    for status, error in errors:
        by_status.setdefault(status, []).append(error)
    return {
        str(status): {
            "description": " ".join(error.sentence for error in found),
            "content": {
                problems.MEDIA: {
                    "schema": {"$ref": REF.format(name="Error")},
                    "examples": {
                        error.code: {"value": problems.problem(status, error.code, error.sentence)}
                        for error in found
                    },
                }
            },
        }
        for status, found in sorted(by_status.items())
    }


def _error_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "A problem (RFC 9457): a stable code, and a sentence for a person.",
        "required": ["type", "title", "status", "detail", "code"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string"},
            "code": {"type": "string"},
        },
    }
