"""A call with an agreement and a finished recording, beside the site."""

import pytest

from tests.support.recorded import agree, record
from tests.web.support import Site, Story


@pytest.fixture
async def story(site: Site) -> Story:
    agent, admin = await site.agent(), await site.admin()
    call = await site.call(agent)
    request = await agree(site.app, call.agent, call.customer)
    recorded = await record(site.app, request, call.agent, call.customer)
    return Story(agent, admin, call, recorded)
