"""The parts that keep a call together, each by itself, on a clock of ours, without a server."""

from __future__ import annotations

from playwright.async_api import Page

from tests.browser.clock import run

RELAYED = """
const { Relayed } = await import(`${M}/relayed.js`);
// Two pages and a server between that loses what is on its way when a connection ends.
let seed = 7;
const chance = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
const wire = {a: [], b: []};
const up = {a: true, b: true};
const taken = {a: [], b: []};
const renewed = {a: 0, b: 0};
const make = (me, other) => new Relayed({
  party: other,
  send: (message) => { if (up[me] && up[other]) wire[other].push({...message}); },
  renewed: () => { renewed[me] += 1; pages[me].begin(); },
});
const pages = {};
pages.a = make('a', 'b');
pages.b = make('b', 'a');
const arrive = (me) => {
  const said = wire[me].shift();
  if (!said) return;
  if (said.type === 'confirm') pages[me].heard(said);
  else if (pages[me].takes(said.run, said.n)) taken[me].push(said.what);
};
const settle = () => {
  for (let i = 0; i < 400; i++) { arrive('a'); arrive('b'); if (i % 20 === 0) clock.pass(1_100); }
};
const lose = (me) => {
  up[me] = false;
  wire[me] = [];
  if (chance() < 0.5) wire[me === 'a' ? 'b' : 'a'] = [];
};
const back = (me) => {
  up[me] = true;
  // the page that was welcomed; the other one hears that it is back only if its loss was noticed
  pages[me].resume();
  if (chance() < 0.5) pages[me === 'a' ? 'b' : 'a'].resume();
};
"""


async def test_what_pages_say_to_each_other_arrives_once_and_in_order(page: Page) -> None:
    """However often either connection is lost, and whatever was on its way then."""
    found = await run(
        page,
        RELAYED
        + """
        const said = {a: [], b: []};
        let most = 0;
        for (let n = 0; n < 300; n++) {
          const me = chance() < 0.5 ? 'a' : 'b';
          pages[me].say({type: 'trickle', what: `${me}${n}`});
          said[me].push(`${me}${n}`);
          most = Math.max(most, pages[me].unheard.length);
          for (let i = 0; i < 2; i++) { arrive('a'); arrive('b'); }
          clock.pass(100);
          const whose = chance() < 0.5 ? 'a' : 'b';
          if (up[whose] && chance() < 0.1) lose(whose);
          else if (!up[whose]) back(whose);
        }
        for (const me of ['a', 'b']) if (!up[me]) back(me);
        settle();
        return {
          whole: `${taken.b}` === `${said.a}` && `${taken.a}` === `${said.b}`,
          left: pages.a.unheard.length + pages.b.unheard.length, renewed, most,
        };
        """,
        clock=True,
    )
    assert found["whole"], found
    assert found["left"] == 0
    assert found["renewed"] == {"a": 0, "b": 0}
    assert found["most"] <= 100


async def test_a_page_that_was_loaded_anew_begins_anew(page: Page) -> None:
    """What was said to the page before is not for it, nor what is left of it; and nothing grows."""
    found = await run(
        page,
        RELAYED
        + """
        for (const n of [1, 2, 3]) pages.a.say({type: 'describe', what: n});
        settle();
        taken.b = [];
        pages.b.close();
        pages.b = make('b', 'a');
        pages.a.say({type: 'describe', what: 'for the page before'});
        settle();
        const anew = renewed.a;
        const early = [...taken.b];
        pages.a.say({type: 'describe', what: 'offer'});
        pages.b.say({type: 'describe', what: 'answer'});
        settle();
        const late = pages.a.takes(pages.b.run, 1);
        // the other is never there
        up.b = false;
        for (let n = 0; n < 250; n++) pages.a.say({type: 'trickle', what: n});
        return {
          anew, early, taken, late, bounded: pages.a.unheard.length, begun: renewed.a,
          unnumbered: pages.a.takes(undefined, undefined),
        };
        """,
        clock=True,
    )
    assert (found["anew"], found["early"]) == (1, [])
    assert found["taken"] == {"a": ["answer"], "b": ["offer"]}
    assert found["late"] is False, "a repetition"
    assert found["bounded"] <= 100
    assert found["begun"] == 3
    assert found["unnumbered"] is True


async def test_a_dead_connection_is_found_out_in_time_and_a_sleep_at_once(page: Page) -> None:
    """Asked again and again; doubted before it is given up; after a sleep only an answer counts."""
    found = await run(
        page,
        """
        const {Pulse, EVERY_MS, CLOSELY_MS, DOUBT_MS, DEAD_MS, WOKEN_MS} =
            await import(`${M}/pulse.js`);
        const watched = (steps) => {
          const said = [];
          const pulse = new Pulse({
            ask: () => said.push(['ask', now]),
            doubt: () => said.push(['doubt', now]),
            dead: () => { said.push(['dead', now]); pulse.stop(); },
          });
          let now = 0, asleep = 0;
          pulse.begin(0, 0);
          steps({
            pulse,
            until: (end, heard) => {
              for (; now < end; now += 500) {
                pulse.look(now, now + asleep);
                if (heard) pulse.heard(heard === 'pong');
              }
            },
            sleep: (ms, stopped) => { if (stopped) asleep += ms; else now += ms; },
          });
          return said;
        };
        const first = (said, what) => said.find(([kind]) => kind === what)?.[1] ?? null;
        const healthy = watched(({until}) => until(60_000, 'pong'));
        const silent = watched(({until}) => until(60_000));
        const close = watched(({pulse, until}) => { pulse.closely = true; until(60_000); });
        // awake again: the machine's own clock may have stood still meanwhile, or not
        const woken = [true, false].map((stopped) => watched(({until, sleep}) => {
          until(2_000, 'pong');
          sleep(3_600_000, stopped);
          until(stopped ? 20_000 : 3_620_000, 'old news');
        }));
        const fine = watched(({until, sleep}) => {
          until(2_000, 'pong');
          sleep(3_600_000, true);
          until(20_000, 'pong');
        });
        return {
          healthy: healthy.every(([kind]) => kind === 'ask') && healthy.length,
          silent: [first(silent, 'doubt'), first(silent, 'dead'),
                   silent.filter(([kind]) => kind === 'doubt').length],
          close: first(close, 'doubt'),
          woken: woken.map((said) => first(said, 'doubt') - first(said, 'ask')),
          fine: fine.every(([kind]) => kind === 'ask'),
          limits: {EVERY_MS, CLOSELY_MS, DOUBT_MS, DEAD_MS, WOKEN_MS},
        };
        """,
    )
    limits = found["limits"]
    assert found["healthy"] >= 15
    doubt, dead, doubts = found["silent"]
    assert limits["EVERY_MS"] + limits["DOUBT_MS"] <= doubt <= 5_500, "in doubt within 5.5 s"
    assert limits["DEAD_MS"] < dead <= limits["EVERY_MS"] + limits["DEAD_MS"] + 1_000
    assert doubts == 1
    assert found["close"] <= limits["CLOSELY_MS"] + limits["DOUBT_MS"] + 500
    assert all(0 < wait <= limits["WOKEN_MS"] + 500 for wait in found["woken"]), found
    assert found["fine"] is True


async def test_ice_starts_again_by_one_side_first_and_not_for_ever(page: Page) -> None:
    """The polite side waits; nobody is asked who cannot be told; after some time it is said."""
    found = await run(
        page,
        """
        const { Recovery } = await import(`${M}/recovery.js`);
        const made = (polite, reachable = () => true) => {
          const said = [];
          const at = (what) => () => said.push([what, clock.now]);
          const one = new Recovery({
            polite, reachable, restart: at('restart'), remake: at('remake'), changed: () => {},
          });
          one.moved('connected');
          return [one, said];
        };
        const start = clock.now;
        const [first, firstSaid] = made(false);
        const [second, secondSaid] = made(true);
        for (const one of [first, second]) one.moved('disconnected');
        clock.pass(2_000);
        const order = [firstSaid.length, secondSaid.length];
        second.theirs();
        clock.pass(3_000);
        const waits = secondSaid.length;
        for (const one of [first, second]) one.moved('connected');
        clock.pass(60_000);
        const calm = [firstSaid.length, first.broken];
        // it heals by itself
        first.moved('disconnected');
        clock.pass(1_000);
        first.moved('connected');
        clock.pass(60_000);
        const healed = firstSaid.length;
        // nobody there, then somebody
        let there = false;
        const [alone, aloneSaid] = made(false, () => there);
        alone.moved('failed');
        clock.pass(60_000);
        const unheard = aloneSaid.length;
        there = true;
        const woke = clock.now;
        alone.wake(true);
        clock.pass(1_000);
        const awake = aloneSaid.length && aloneSaid[0][1] - woke;
        // never again
        clock.pass(600_000);
        const apart = aloneSaid.slice(1).map(([, when], i) => when - aloneSaid[i][1]);
        const after = aloneSaid.length;
        alone.wake(true);
        clock.pass(60_000);
        return {
          order, waits, calm, healed, unheard, awake, apart: Math.min(...apart), after,
          more: aloneSaid.length - after, gaveUp: alone.gaveUp,
          remade: aloneSaid.filter(([what]) => what === 'remake').length,
        };
        """,
        clock=True,
    )
    assert found["order"] == [1, 0], "one side first"
    assert found["waits"] == 0, "the other's attempt is given its time"
    assert found["calm"] == [2, False]
    assert found["healed"] == 2
    assert found["unheard"] == 0
    assert 0 < found["awake"] <= 1_000
    assert found["apart"] >= 1_000
    assert found["after"] <= 40
    assert (found["more"], found["gaveUp"]) == (0, True)
    assert found["remade"] >= 1


async def test_each_state_of_the_connections_has_its_sentence(page: Page) -> None:
    """That it is over is said, for a while; what is said already is not said again."""
    found = await run(
        page,
        """
        const { Standing, sentenceFor } = await import(`${M}/standing.js`);
        const keys = {};
        for (const server of [true, false]) for (const broken of [true, false])
          for (const gaveUp of [true, false]) for (const away of [true, false])
            keys[[server, broken, gaveUp, away].map(Number).join('')] =
                sentenceFor({server, broken, gaveUp, away});
        const shown = [];
        const standing = new Standing((key) => shown.push(key));
        const fine = {server: true, broken: false, gaveUp: false, away: false};
        for (const one of [fine, {...fine, server: false}, {...fine, server: false}, fine]) {
          standing.see(one);
        }
        clock.pass(10_000);
        standing.see({...fine, away: true});
        standing.see(fine);
        const texts = await Promise.all(['en', 'de'].map(async (language) =>
            (await fetch(`${M}/language/${language}.json`)).json()));
        const missing = [...new Set(Object.values(keys)), 'call.back'].filter((key) =>
            key && texts.some((one) => !one[key]));
        return {keys, shown, missing};
        """,
        clock=True,
    )
    assert found["keys"]["1000"] == ""
    assert found["keys"]["0000"] == found["keys"]["0001"] == "call.signaling_lost"
    assert found["keys"]["0100"] == "call.offline"
    assert found["keys"]["1100"] == "call.interrupted"
    assert found["keys"]["1110"] == "call.gave_up"
    assert found["keys"]["1101"] == found["keys"]["1111"] == "call.away_broken"
    assert found["keys"]["1001"] == "call.away"
    assert found["shown"] == ["call.signaling_lost", "call.back", "", "call.away", ""]
    assert found["missing"] == []
