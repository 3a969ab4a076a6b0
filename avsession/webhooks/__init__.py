"""Webhooks: telling other systems what happened in sessions, without saying to whom.

``events`` is the table of what is told and makes a message out of a leaf; ``signing`` signs it as
Standard Webhooks 1.0 wants; ``backoff`` says when a failed delivery is tried again, and when no
more. Nothing here sends: ``usecases.outbox`` writes deliveries beside the leaf they are about,
``usecases.delivering`` sends them. ``python -m avsession.webhooks.document`` prints EVENTS.md.
"""
