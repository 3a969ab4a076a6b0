"""Which ICE servers each party, and the recorder, is given; TURN with credentials of its own.

Credentials are handed out to those who have a seat, over their own connection, and to the recorder
that a gate is open for. They end by themselves; who still talks when half their time is over is
told new ones. Nothing is stored: who was told what follows from the secret, the session and the
time, so any server hands out the same.
"""

from __future__ import annotations

from avsession.messages import CaptureServers, IceServer, IceServers
from avsession.session import Party, Session
from avsession.turn import credentials
from avsession.usecases.services import Services

BATCH = 200
"""Sessions that one turn of the timer tells; the rest waits for the next, with time to spare."""
RECORDER = "recorder"
"""Who a session's recorder is, in its pseudonym; no party is called so."""


def for_party(app: Services, session: str, party: str) -> tuple[IceServer, ...]:
    """What a party's page is given, for the call and for its leg to the recorder."""
    return _servers(app, session, party, app.settings.media.ice_servers, app.settings.turn.urls)


def for_recorder(app: Services, session: str) -> tuple[IceServer, ...]:
    """What the recorder is given for its legs in this session, besides what its welcome has."""
    return _servers(app, session, RECORDER, (), app.settings.turn.for_recorder)


def _servers(
    app: Services, session: str, who: str, fixed: tuple[IceServer, ...], urls: tuple[str, ...]
) -> tuple[IceServer, ...]:
    secret = app.relay.secret(app.settings)
    if secret is None:
        return fixed
    window = credentials.window(session, app.settings.turn.ttl_s, app.clock.now_ms())
    app.relay.due[session] = window.renew_ms
    name = credentials.pseudonym(secret, session, who)
    return (*fixed, credentials.server(urls, secret, window.expires_s, name))


async def renew(app: Services) -> None:
    """Tell those whose credentials have lived half their time the next ones."""
    now = app.clock.now_ms()
    due = [session for session, when in app.relay.due.items() if when <= now]
    for session_id in due[:BATCH]:
        async with app.store.read() as tx:
            session = await tx.get(Session, session_id)
            parties = await tx.find(Party, session=session_id)
        seated = [party.id for party in parties if party.presence is not None]
        if session is None or session.ended_ms is not None or not seated:
            del app.relay.due[session_id]  # whoever comes later is welcomed with new ones
            continue
        for party in seated:
            servers = for_party(app, session_id, party)
            app.bus.tell(party, IceServers(ice_servers=servers))
        if (gate := app.gate.of_session(session_id)) is not None:
            servers = for_recorder(app, session_id)
            told = CaptureServers(recording=gate.recording, ice_servers=servers)
            app.bus.tell_worker(gate.worker, told)
