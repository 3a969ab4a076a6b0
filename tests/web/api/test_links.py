import pytest

from avsession.errors import TicketRefused
from avsession.session import Party
from avsession.usecases import sessions
from tests.web.support import Site
from web.api.links import data_url, data_url_for, ticket_for


async def customer(site: Site) -> Party:
    call = await site.call(await site.agent())
    async with site.app.store.read() as tx:
        party = await tx.get(Party, call.customer)
    assert party is not None
    return party


async def test_a_ticket_is_good_for_this_party_once(site: Site) -> None:
    party = await customer(site)
    made = await ticket_for(site.app, party)
    assert (await sessions.redeem_ticket(site.app, made["ticket"])).id == party.id
    with pytest.raises(TicketRefused):
        await sessions.redeem_ticket(site.app, made["ticket"])


async def test_secrets_stand_in_no_path_and_no_query(site: Site) -> None:
    party = await customer(site)
    made = await ticket_for(site.app, party)
    assert made["ticket"] not in made["url"]
    link = (await data_url_for(site.app, party))["data_url"]
    address, _, secret = link.partition("#")
    assert address == "https://localhost:8443/privacy"
    assert data_url(site.app, secret) == link
