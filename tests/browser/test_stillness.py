"""A dead path is noticed in time, and what is done about it, without a server."""

from __future__ import annotations

import math

from playwright.async_api import Page

from tests.browser.clock import run


async def test_a_path_that_died_is_looked_into_before_the_browser_says_so(page: Page) -> None:
    """Where something came all the time its absence counts; the server is asked first, and nobody
    is told who cannot be; one side begins; it is said when it lasts, and over when it is over."""
    found = await run(
        page,
        """
        const { LOOK_MS, Stillness } = await import(`${M}/stillness.js`);
        const { Recovery, SAID_MS, STILL_MS } = await import(`${M}/recovery.js`);
        // looked at while something comes every so often, and after that nothing does
        const looked = (lively, every, end, then = 20_000) => {
          const one = new Stillness(lively), said = [];
          for (let now = 0; now < end + then; now += LOOK_MS) {
            said.push([now, one.look(now, Math.floor(Math.min(now, end) / every))]);
          }
          return {
            while: Math.max(...said.filter(([now]) => now <= end).map(([, ms]) => ms)),
            after: (said.find(([, ms]) => ms >= STILL_MS)?.[0] ?? Infinity) - end,
          };
        };
        const sound = looked(4, 20, 30_000), little = looked(4, 1_000, 30_000);
        const reports = looked(1, 1_000, 30_000);
        const slept = new Stillness(4);
        for (let now = 0; now < 10_000; now += LOOK_MS) slept.look(now, now);
        const woken = slept.look(3_600_000, 9_600);
        const trouble = (polite, state = {}) => {
          const said = [], start = clock.now;
          const at = (what) => () => said.push([what, clock.now - start]);
          const one = new Recovery({
            polite, reachable: () => !state.unsure, check: at('check'), restart: at('restart'),
            remake: at('remake'), healed: at('healed'), changed: at('changed'),
          });
          one.moved('connected');
          said.length = 0;
          return {one, said, pass: (ms) => {
            for (let end = clock.now + ms; clock.now < end; clock.pass(LOOK_MS)) {
              one.still(state.flows ? 0 : clock.now - start);
            }
          }};
        };
        const doubt = {unsure: true};
        const first = trouble(false, doubt);
        first.pass(2_000);
        const unsure = first.said.map(([what]) => what);
        doubt.unsure = false;
        first.pass(1_000);
        const sure = first.said.at(-1);
        first.pass(9_000);
        const tried = first.said.filter(([what]) => what === 'restart').map(([, when]) => when);
        const told = first.said.find(([what]) => what === 'changed')[1];
        doubt.flows = true;
        first.pass(1_000);
        const over = [first.one.broken, first.said.slice(-2).map(([what]) => what)];
        first.pass(60_000);
        const calm = first.said.at(-1)[0];
        const begins = [true, false].map((polite) => {
          const {pass, said} = trouble(polite);
          pass(5_000);
          return said.find(([what]) => what === 'restart')[1];
        });
        return {
          sound, little, reports, woken, unsure, sure, over, calm, begins, told,
          apart: Math.min(...tried.slice(1).map((when, i) => when - tried[i])),
          limits: {LOOK_MS, SAID_MS, STILL_MS},
        };
        """,
        clock=True,
    )
    limits = found["limits"]
    look, still = limits["LOOK_MS"], limits["STILL_MS"]
    assert found["sound"]["while"] == 0
    assert still - look <= found["sound"]["after"] <= still + look
    assert found["little"] == {"while": 0, "after": math.inf}, "there it means nothing"
    assert found["reports"]["while"] <= 1_000 + look
    assert found["woken"] == 0, "nothing is known after a sleep"
    assert found["unsure"] == ["check"], "nobody is told who may not hear it"
    assert found["sure"][0] in {"restart", "changed"}
    assert found["apart"] >= 2_000
    assert limits["SAID_MS"] <= found["told"] <= limits["SAID_MS"] + look
    assert found["over"] == [False, ["changed", "healed"]]
    assert found["calm"] == "healed"
    polite, impolite = found["begins"]
    assert impolite <= still + 2 * look
    assert polite >= impolite + 1_000


async def test_offers_do_not_pile_up_while_the_other_hears_nothing(page: Page) -> None:
    """Each would make the one before void, when all of them arrive at once. Only another network
    of our own is a reason for another one, or that it was heard and not answered."""
    found = await run(
        page,
        """
        const { Peer } = await import(`${M}/call.js`);
        const said = [];
        const wait = (ms) => new Promise((go) => setTimeout(go, ms));
        const media = Object.assign(new EventTarget(), {audio: null, video: null});
        const peer = new Peer({
          party: 'b', polite: false, config: {}, media, reachable: () => true, check: () => {},
          send: (message) => { if (message.type === 'describe') said.push(message.sdp); },
        });
        const many = async (n) => {
          const end = performance.now() + 5_000;
          while (said.length < n && performance.now() < end) await wait(20);
          return said.length;
        };
        const first = await many(1);
        for (let n = 0; n < 3; n++) peer.restart();
        await wait(200);
        const waiting = said.length;
        peer.resume(true);
        const repeated = await many(2);
        peer.restart();
        const anew = await many(3);
        await wait(100);
        const { run, n } = peer.relayed;
        peer.relayed.heard({run, n, again: false});
        peer.restart();
        const heard = await many(4);
        peer.close();
        const names = said.map((sdp) => /a=ice-ufrag:(\\S+)/.exec(sdp)[1]);
        return {first, waiting, repeated, anew, heard, same: names[0] === names[1],
                other: names[2] !== names[0]};
        """,
    )
    assert found == {
        "first": 1, "waiting": 1, "repeated": 2, "anew": 3, "heard": 4, "same": True, "other": True,
    }  # fmt: skip


async def test_a_leg_that_was_begun_on_a_dead_path_is_tried_anew(page: Page) -> None:
    """As soon as on a path that is dead still, though the call's own is back by then; where nothing
    else is wrong a leg that follows a broken one gets more time with each try; others all of it."""
    found = await run(
        page,
        """
        const { Leg } = await import(`${M}/leg.js`);
        const { LOOK_MS } = await import(`${M}/stillness.js`);
        window.setInterval = () => 0;
        let state, bytes = 0, troubled = false;
        window.RTCPeerConnection = class {
          connectionState = state;
          async getStats() { return [{type: 'transport', bytesReceived: bytes}]; }
          close() {}
        };
        const failed = [];
        const media = new EventTarget();
        const leg = new Leg({
          media, send: ({type}) => failed.push([type, clock.now]), silence: () => 0,
          lost: () => {}, call: () => null, troubled: () => troubled,
        });
        leg.answer = async () => undefined;
        const begin = (how) => {
          state = how;
          return leg.begin({recording: 'r', generation: 1, sdp: ''});
        };
        // after how long it says that it failed; null: not within 14 s
        const fails = async (after = () => {}) => {
          const began = clock.now, before = failed.length;
          while (clock.now - began < 14_000) {
            after(clock.now - began);
            clock.pass(LOOK_MS);
            await leg.listen();
            if (failed.length > before) return clock.now - began;
          }
          return null;
        };
        await begin('connecting');
        const first = await fails();
        troubled = true;
        await begin('connecting');
        const back = await fails((ms) => { troubled = ms < 1_000; });
        const broken = [];
        const dies = async () => {
          await begin('connected');
          leg.moved(leg.pc, leg.offer);
          for (let n = 0; n < 4; n++, bytes += 100) { clock.pass(LOOK_MS); await leg.listen(); }
          await fails();
        };
        await dies();
        for (let n = 0; n < 3; n++) {
          await begin('connecting');
          broken.push(await fails());
        }
        await dies();
        await begin('connecting');
        const again = await fails();
        const told = new Set(failed.map(([type]) => type));
        return {first, back, broken, again, told: [...told], look: LOOK_MS};
        """,
        clock=True,
    )
    look, short = found["look"], 2_500
    assert found["first"] is None, "the browser itself says so, after 15 s"
    assert short < found["back"] <= short + look
    for n, took in enumerate(found["broken"]):
        assert short * 2**n < took <= short * 2**n + look
    assert short < found["again"] <= short + look, "one that was there begins it anew"
    assert found["told"] == ["leg.failed"]
