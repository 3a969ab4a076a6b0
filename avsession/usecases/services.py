"""What every use case is given: the parts of the world it needs, put together once at start."""

from __future__ import annotations

import dataclasses

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from avsession.config import Settings
from avsession.passwords import Passwords
from avsession.ports import Bus, Custody, HostClock, ObjectStore, Parcels, Store, Unwritten
from avsession.session import Entropy
from avsession.usecases.building import Building
from avsession.usecases.figures import Figures
from avsession.usecases.gate import Gate
from avsession.usecases.leftovers import Leftovers
from avsession.usecases.limits import Limits
from avsession.usecases.notary import Notary
from avsession.usecases.opened import Opened
from avsession.usecases.permissions import Principal
from avsession.usecases.readiness import Readiness
from avsession.usecases.readings import Readings
from avsession.usecases.relay_state import Relay
from avsession.usecases.schedule import Schedule
from avsession.usecases.seated import Seated
from avsession.usecases.watch import Watch

__all__ = ["Principal", "Services"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """The parts that the composition root joins. Frozen: nothing is swapped while running.

    ``grant_key`` signs capture grants, ``notary`` the log's heads. ``build`` names the
    running code, such as ``0.1.0+1a2b3c4``. ``passwords`` and ``limits`` have defaults that suit
    production.
    """

    store: Store
    objects: ObjectStore
    custody: Custody
    parcels: Parcels
    unwritten: Unwritten
    clock: HostClock
    entropy: Entropy
    settings: Settings
    bus: Bus
    grant_key: Ed25519PrivateKey
    build: str
    gate: Gate
    notary: Notary
    passwords: Passwords = dataclasses.field(default_factory=Passwords)
    limits: Limits = dataclasses.field(default_factory=Limits)
    opened: Opened = dataclasses.field(default_factory=Opened)
    leftovers: Leftovers = dataclasses.field(default_factory=Leftovers)
    building: Building = dataclasses.field(default_factory=Building)
    figures: Figures = dataclasses.field(default_factory=Figures)
    readings: Readings = dataclasses.field(default_factory=Readings)
    relay: Relay = dataclasses.field(default_factory=Relay)
    watch: Watch = dataclasses.field(default_factory=Watch)
    schedule: Schedule = dataclasses.field(default_factory=Schedule)
    seated: Seated = dataclasses.field(default_factory=Seated)
    ready: Readiness = dataclasses.field(default_factory=Readiness)
