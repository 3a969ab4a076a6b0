"""Errors as RFC 9457 problems."""

from avsession.errors import AvsessionError, NotFound
from tests.web.support import Site
from web.app import TABLE
from web.problems import MEDIA, listed, problem, refusal


def test_a_problem_has_the_standards_members_and_our_code() -> None:
    assert problem(404, "not_found", NotFound.sentence) == {
        "type": "/api/errors#not_found",
        "title": "Not Found",
        "status": 404,
        "detail": NotFound.sentence,
        "code": "not_found",
    }
    assert refusal(409, "conflict", "No.").content_type == MEDIA


async def test_its_type_leads_to_the_list_of_all_codes(site: Site) -> None:
    refused = await site.ask("GET", "/api/admin/recordings")
    where, _, code = refused.json["type"].partition("#")
    found = (await site.ask("GET", where)).json["errors"]
    assert found == listed()
    assert code == refused.code
    assert found[code] == refused.json["detail"]


def test_every_code_that_the_api_names_is_in_the_list() -> None:
    named: set[type[AvsessionError]] = {error for route in TABLE for error in route.all_errors}
    assert {error.code for error in named} <= listed().keys()
