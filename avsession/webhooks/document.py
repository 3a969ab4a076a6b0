"""Prints EVENTS.md from the code: ``python -m avsession.webhooks.document``."""

from __future__ import annotations

import sys

from avsession.webhooks import backoff, events, signing

HEAD = """\
# Webhooks: what other systems are told

Printed from the code by `python -m avsession.webhooks.document`; do not edit by hand.

A message is an HTTP POST with a JSON body, signed as
[Standard Webhooks](https://www.standardwebhooks.com) 1.0 say: verify it with any of its libraries.
The signature covers `webhook-id`, `webhook-timestamp` (seconds, of this attempt) and the body.

```json
{example}
```

`timestamp` is when it happened. `data.leaf` is the index of its entry in the audit log, the order
in which things happened. `data.session` is the session's pseudonym, as in the log: it names nobody,
and nobody can be found by it any more once the persons are erased. No message has a name, a
contact, media, or anything that somebody typed.

- Each message is written in the transaction that makes it true, so none is lost by a crash. It may
  come **more than once**, with the same `webhook-id`: remember the ids you have handled.
- Messages may come in **any order**: sort by `data.leaf`.
- Any status from 200 to 299 within the time set is a success. The body of an answer is not read,
  redirects are not followed. 410 ends the attempts, `Retry-After` (seconds) is heeded.
- After a failure it is tried again after about {first} s, then {times} times longer each time, up
  to {longest} h, a quarter shorter or longer by chance; {day} h after the event it is dead, and an
  admin can replay it.
- Two secrets in the file: each message carries both signatures, for a change without a gap. `v1`
  is HMAC-SHA256 (`{shared}`), `v1a` Ed25519 (`{private}`).

An endpoint asks for kinds, for groups ({groups}), or for everything.

| kind | when | in `data`, beside `leaf` and `session` |
|---|---|---|
"""
EXAMPLE = events.body(
    "recording.sealed", 42, "psn_" + "a" * 26, {"recording": "rec_" + "b" * 26}, 1_750_000_000_000
).decode()


def text() -> str:
    """The whole file."""
    rows = [
        f"| `{kind}` | {what} | {', '.join(f'`{one}`' for one in fields) or '–'} |"
        for kind, (what, fields) in events.EVENTS.items()
    ]
    rows.append(f"| `{events.TEST}` | Somebody tried the endpoint; `leaf` is null. | – |")
    head = HEAD.format(
        example=EXAMPLE,
        first=backoff.FIRST_MS // 1000,
        times=backoff.TIMES,
        longest=backoff.LONGEST_MS // 3_600_000,
        day=backoff.GIVE_UP_MS // 3_600_000,
        shared=signing.SHARED,
        private=signing.PRIVATE,
        groups=", ".join(f"`{one}`" for one in events.GROUPS),
    )
    return head + "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
