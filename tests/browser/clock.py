"""A page's modules on a clock of ours."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page

from tests.browser.conftest import MODULES

CLOCK = """
// Time that goes on when a test says so.
window.clock = {now: 1_000, timers: [], id: 0};
performance.now = () => clock.now;
window.setTimeout = (then, wait = 0) => {
  clock.timers.push({id: ++clock.id, at: clock.now + Math.max(0, wait), then});
  return clock.id;
};
window.clearTimeout = (id) => { clock.timers = clock.timers.filter((one) => one.id !== id); };
clock.pass = (ms) => {
  const end = clock.now + ms;
  for (;;) {
    const next = clock.timers.filter(({at}) => at <= end).sort((a, b) => a.at - b.at)[0];
    if (!next) break;
    clearTimeout(next.id);
    clock.now = Math.max(clock.now, next.at);
    next.then();
  }
  clock.now = end;
};
"""


async def run(page: Page, script: str, *, clock: bool = False) -> Any:
    """What the script returns; ``M`` is where the modules are."""
    head = CLOCK if clock else ""
    return await page.evaluate(f"async (M) => {{ {head}\n{script} }}", f"{MODULES}/static")
