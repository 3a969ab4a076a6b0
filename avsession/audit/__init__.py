"""The audit log: what happened, in the order it happened, without saying to whom.

``log`` appends leaves inside the transaction that changes the state. A leaf is canonical JSON
(RFC 8785) with a dense index; it holds pseudonyms, opaque references, digests and salted
commitments, so that it can stay when a person's details go.

``absence`` tells a detail that was erased from one that somebody took away.

``merkle`` is the tree over the leaves, ``checkpoint`` its signed head, ``proof`` a leaf's way to
it, ``verify`` goes through everything. What the log commits to, table by table:

=================  ===================================================================
table              by which leaf
=================  ===================================================================
leaf               itself; its place is the tree's
tree_node          the leaves below it
checkpoint         its signature, and the tree; the leaf after it names it, the newest stands in
                   the anchors
detail             the leaf of its number: a salted commitment a field
consent_event      ``consent.*``, ``recording.requested``: the document's digest, salted; in the
                   document what the party's own key signed
party_key          ``key.created``, and the consents that it signed
recording_request  ``recording.requested``: what was asked
notice             ``notice.published``, ``policy.published``: digest of the text, language,
                   version
capture_grant      ``grant.issued``: digest of the token; ``grant.revoked``: when and why it ended
track              ``key.created``, ``key.destroyed``; through the grant whose it is
recording          ``grant.issued``, ``recording.sealed``, ``.interrupted``, ``.erased``: state,
                   manifest's head, and through the grants the recorder's key, session, request,
                   purposes, beginning and generation; how long it is kept through the consents
manifest_entry     ``recording.sealed``, ``.interrupted``: the chain's head and length
segment            the manifest's entries; which of them were kept: the same two leaves. What was
                   destroyed is gone: the manifest with a whole recording, a track's segments
certificate        ``recording.erased``: the document's digest
hold               ``hold.placed``: scope, what it is about, category, review, and why, salted;
                   ``hold.released``
access             ``recording.accessed``: who, why, for what, when and until when, salted
withdrawal         ``consent.withdrawn``: about which recording, and until when there is a choice;
                   ``privacy.requested``: what was chosen
privacy_request    ``privacy.requested``: which right, when, by when; ``privacy.answered``: each
                   step; the words of both salted
staff_request      the same two, of a member of staff; whose it is salted, too
restriction        ``subject.restricted``: since when, why, for what, and by whom it was lifted
taken              ``recording.exported``: which tracks, when, for what; who and why salted
disclosure         ``disclosure.made``, twice: decided, every word salted; then the digests
=================  ===================================================================

A person's own export (``export``) is there for some weeks only. While it is, its row must be the
one of its ``privacy.requested`` (for whom it is: a digest) and stand where ``privacy.answered``
says; the server prepares and gives out nothing else.

The other tables (accounts, sessions, parties, tickets, states) are what the product works with;
what happened in them has a leaf, but their rows are not compared. Older leaves say less, and what
they do not say is not compared.

A row's time that its leaf has, too, is compared to a minute where both are read from the clock.
:data:`NOT_EVIDENCE` has the columns that can be changed without a finding, each with the reason.
"""

COMMITTED = (
    "leaf",
    "tree_node",
    "checkpoint",
    "detail",
    "consent_event",
    "party_key",
    "recording_request",
    "notice",
    "capture_grant",
    "track",
    "recording",
    "manifest_entry",
    "segment",
    "certificate",
    "hold",
    "access",
    "withdrawal",
    "privacy_request",
    "staff_request",
    "restriction",
    "taken",
    "disclosure",
)
"""The tables that the log commits to: ``audit.verify`` compares every row of them."""

NOT_EVIDENCE = {
    "disclosure.gone_ms": "a package that is called deleted is not given out; what it was stays",
    "checkpoint.at_ms": "when a head was signed is nobody's to rely on: the leaves around it say",
    "recording_request.outcome": "for lists of requests; what was answered stands in the events",
    "withdrawal.done": "destroyed and not yet called done is a crash's, and is gone through again",
}
"""Columns of those tables that may change without a finding, and why that harms nobody."""
