"""avsession: a face-to-face support call that is recorded only after everyone said yes.

The words, in code as on the page:

- *session*: one call, from invitation to end; a *party* (customer, agent) sits in it.
- *recording request*: one ask to record, with its purposes and the notice as rendered.
- *consent event*: requested, shown, given, refused, withdrawn, expired.
- *gate*: open only while every party present holds ``given`` for this very request.
- *grant*: the signed, short-lived permission without which a recorder captures nothing.
- *leg*: the connection from one party's browser to the recorder.
- *segment*, *manifest*: a sealed piece of a track, and the signed chain of them.
- *leaf*: one event in the audit log.

Four ways through the code, each readable from its first file:

1. A signaling message: ``signaling.server`` -> ``signaling.connection`` -> ``messages`` ->
   ``signaling.dispatch`` -> the hub (relayed, never stored) or a use case.
2. A consent event: ``usecases.consent`` -> ``consent.decide`` -> one transaction (state and
   leaf) -> only then the effects. Closing speaks first and records then.
3. A packet: ``recorder.leg`` -> ``recorder.receive`` -> ``recorder.gate`` -> ``recorder.webm``
   -> ``recorder.spool`` -> a signed manifest entry -> ``usecases.accept``.
4. A review: ``web`` -> ``usecases.review`` (commits ``recording.accessed``) -> custody ->
   ``sealing.open`` -> HTTP Range.

This package knows no socket and no page. Imports run one way; tests/test_architecture.py
holds the order.
"""

__version__ = "0.1.0"
