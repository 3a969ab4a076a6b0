"""The real use cases fit the callables that signaling expects."""

import inspect
from typing import cast

from avsession.usecases.services import Services
from signaling.cases import UseCases, bind

# Called with: a party's or worker's id (or a ticket, or a hello), and for the others a message.
ALONE = {"redeem_ticket", "joined", "lost", "left", "worker_joined", "worker_ready", "worker_gone"}
AT_ONCE = {"heartbeat", "expect", "hold"}
"""Carried out while reading: they wait for nothing."""


def test_every_use_case_takes_what_it_is_given() -> None:
    cases = bind(cast(Services, None))
    for name in UseCases.__dataclass_fields__:
        call = getattr(cases, name)
        arguments = ("owner",) if name in ALONE else ("owner", "message")
        inspect.signature(call).bind(*arguments)
        assert inspect.iscoroutinefunction(call.func) == (name not in AT_ONCE), name
