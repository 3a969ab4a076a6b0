"""schemathesis against the running api: nothing breaks it, and it describes every answer.

Requests are made from the description: such that it allows, and such that it forbids. They come as
a customer with seat and private link, as an agent, as an admin and from nobody, in part with what
really is there in the place of made-up identifiers and secrets. The same ones each time; twenty
times as many, other ones each time: ``AVSESSION_FUZZ=20 pytest tests/web/test_described.py``.
"""

from __future__ import annotations

import asyncio
import copy
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.web.cast import Cast, Prepared, cast_of
from tests.web.operations import PREPARE, SPENT, credentials
from tests.web.support import HOST, ORIGIN, confirms
from tests.web.support import site as open_site
from web.access import By
from web.app import TABLE
from web.openapi import OUR_HEADER, document
from web.permissions import Caller
from web.problems import MEDIA
from web.routing import Route

T = TypeVar("T")
Case = schemathesis.Case[Any]
Check = Callable[..., bool | None]

TIMES = int(os.environ.get("AVSESSION_FUZZ", "0"))
GOOD, BAD = 10, 8
"""Requests to an operation, each made by every caller: such as the description allows, such as it
forbids."""
EVERY_S = 3
"""Seconds that pass on the server's clock between two requests: limits are for who is faster."""
RECEIPT_S = 601
"""The same where a receipt is tried."""
CHANCES = 12
"""Fields of a request, at most, that become real ones; one in :data:`MADE_UP` stays made up."""
MADE_UP = 8
SOON_OVER = {"POST /api/passkeys"}
"""What was prepared for these is of use for a short time, and to one request: it is prepared for
each, until one was carried out."""
STEP_UP = "auth.step_up"

DOCUMENT = document(TABLE, ORIGIN)


def without(document: dict[str, Any], parameter: dict[str, Any]) -> dict[str, Any]:
    """The description without a parameter: nothing is to be tried with its values."""
    found = copy.deepcopy(document)
    for methods in found["paths"].values():
        for operation in methods.values():
            parameters = operation.get("parameters", [])
            operation["parameters"] = [one for one in parameters if one != parameter]
    return found


REJECTED = [400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 429]
CONFIG = schemathesis.Config.from_dict(
    {
        "seed": 1,
        # who may come in, and as whom, is said by the callers' own cookies
        "generation": {"with-security-parameters": False, "deterministic": not TIMES},
        "checks": {"negative_data_rejection": {"expected-statuses": REJECTED}},
    }
)
SCHEMA = schemathesis.openapi.from_dict(without(DOCUMENT, OUR_HEADER), config=CONFIG)
OPERATIONS = {
    (found.ok().method.upper(), found.ok().path): found.ok()
    for found in SCHEMA.get_all_operations()
    if isinstance(found, Ok)
}
CALLERS = (Caller.RECEIPT, Caller.CUSTOMER, Caller.AGENT, Caller.ADMIN)
"""The first is nobody, wherever a receipt is not what is asked for."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


class Running:
    """The application on a socket, in a thread of its own, with everybody who may call it."""

    loop: asyncio.AbstractEventLoop
    cast: Cast

    def __init__(self, folder: Path) -> None:
        self._stop = asyncio.Event()
        self._begun: Future[None] = Future()
        self._thread = threading.Thread(target=asyncio.run, args=(self._run(folder),))
        self._thread.start()
        self._begun.result(60)
        self.session = requests.Session()

    async def _run(self, folder: Path) -> None:
        try:
            self.loop = asyncio.get_running_loop()
            async with open_site(folder) as site:
                self.cast = await cast_of(site, folder)
                self._begun.set_result(None)
                async with self.cast.stack:
                    await self._stop.wait()
        except BaseException as error:
            if self._begun.done():
                raise
            self._begun.set_exception(error)

    def do(self, what: Awaitable[T]) -> T:
        """Have it done in the application's thread."""

        async def done() -> T:
            return await what

        return asyncio.run_coroutine_threadsafe(done(), self.loop).result(60)

    def close(self) -> None:
        self.session.close()
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Shared by the operations that only read."""
    found = Running(tmp_path_factory.mktemp("reading"))
    yield found
    found.close()


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


def test_every_operation_can_be_called() -> None:
    assert OPERATIONS.keys() == {(route.method, route.path) for route in TABLE}


@pytest.fixture
def running(route: Route, reading: Running, tmp_path: Path) -> Iterator[Running]:
    """One of their own for those that write, or destroy something to have it read of."""
    if not route.writes and name_of(route) not in SPENT:
        yield reading
        return
    found = Running(tmp_path)
    yield found
    found.close()


@pytest.mark.parametrize("route", TABLE, ids=name_of)
def test_nothing_breaks_and_every_answer_is_described(running: Running, route: Route) -> None:
    operation = OPERATIONS[route.method, route.path]
    prepared = running.do(PREPARE[name_of(route)](running.cast, Caller.CUSTOMER))
    secrets = {one: running.do(credentials(running.cast, route, one)) for one in CALLERS}
    statuses: set[int] = set()

    def good(case: Case, chances: list[int]) -> None:
        ready = prepared
        if name_of(route) in SOON_OVER and route.status not in statuses:
            ready = running.do(PREPARE[name_of(route)](running.cast, Caller.CUSTOMER))
        for caller in CALLERS:
            put_in(case, chances, ready, secrets[caller])
            statuses.add(tried(running, route, caller, case, CHECKS))

    def bad(case: Case) -> None:
        for caller in CALLERS:
            tried(running, route, caller, case, [*CHECKS, negative_data_rejection])

    open_to_wrong = bool(operation.body or operation.path_parameters or operation.query)
    if open_to_wrong:
        cases = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        limited(BAD)(given(case=cases)(bad))()
    cases = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    chances = st.lists(st.integers(1, MADE_UP), min_size=CHANCES, max_size=CHANCES)
    limited(GOOD if open_to_wrong else 1)(given(case=cases, chances=chances)(good))()
    assert route.status in statuses, statuses


def limited(many: int) -> settings:
    """So many requests, the same ones each time unless more were asked for."""
    return settings(
        max_examples=many * max(TIMES, 1),
        derandomize=not TIMES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def tried(running: Running, route: Route, caller: Caller, case: Case, checks: list[Check]) -> int:
    """What was made up, sent by the caller's browser, its answer checked; the status.

    What wants to be confirmed first is confirmed, as our pages do, and sent once more.
    """
    answer = sent_by(running, route, caller, case, checks)
    if code_of(answer) == STEP_UP:
        about = confirms(case.formatted_path, case.body)
        running.do(running.cast.confirm(caller, *about))
        answer = sent_by(running, route, caller, case, checks)
        assert code_of(answer) != STEP_UP
    return answer.status_code


def sent_by(
    running: Running, route: Route, caller: Caller, case: Case, checks: list[Check]
) -> schemathesis.Response:
    """The answer, checked, to what the caller's browser sends."""
    cast, site, person = running.cast, running.cast.site, running.cast.persons[caller]
    held = (person.cookie, person.download, cast.analytics, cast.went)
    cookies = [one for one in held if one]
    headers = {"Host": HOST, "Origin": ORIGIN, "Cookie": "; ".join(cookies)}
    if route.writes:
        headers["X-Avsession"] = "1"
    site.clock.forward(RECEIPT_S if route.access.by is By.RECEIPT else EVERY_S)
    answer = case.call(base_url=site.url, session=running.session, headers=headers)
    case.validate_response(answer, checks=checks)
    code_is_described(route, answer)
    return answer


def put_in(case: Case, chances: list[int], prepared: Prepared, known: dict[str, Any]) -> None:
    """Most of what was made up becomes what really is there."""
    params, sent = prepared
    wanted: list[tuple[Any, str, Any]] = []
    if "{" in case.path:
        wanted += [(case.path_parameters, name, value) for name, value in params.items()]
    if isinstance(case.body, dict):
        wanted += [(case.body, name, value) for name, value in {**sent, **known}.items()]
    elif sent:
        wanted += [(case.query, name, value) for name, value in sent.items()]
    for (place, name, value), chance in zip(wanted, chances, strict=False):
        if chance < MADE_UP and (place is not case.path_parameters or name in place):
            place[name] = value


def code_is_described(route: Route, answer: schemathesis.Response) -> None:
    """A problem's code is one that the description names for this operation and status."""
    if code := code_of(answer):
        responses = DOCUMENT["paths"][route.path][route.method.lower()]["responses"]
        examples = responses[str(answer.status_code)]["content"][MEDIA]["examples"]
        assert code in examples


def code_of(answer: schemathesis.Response) -> str:
    """A problem's code; nothing for any other answer."""
    if answer.headers.get("content-type", [""])[0] != MEDIA:
        return ""
    return str(answer.json()["code"])
