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
checkpoint         its signature, and the tree; the newest also stands in the anchors
detail             the leaf of its number: a salted commitment a field
consent_event      ``consent.*``, ``recording.requested``: the document's digest, salted; in the
                   document what the party's own key signed
party_key          the consents that it signed, and ``key.created``
recording_request  ``recording.requested``: what was asked
notice             ``notice.published``: digest of the text, language, version
capture_grant      ``grant.issued``: digest of the token; ``grant.revoked``: when and why it ended
track              ``key.created``, ``key.destroyed``; through the grant whose it is
recording          ``grant.issued``, ``recording.sealed``, ``.interrupted``, ``.erased``: state,
                   manifest's head, and through the grants the recorder's key, session, request,
                   purposes, beginning and generation; how long it is kept through the consents
manifest_entry     ``recording.sealed``, ``.interrupted``: the chain's head and length
segment            the manifest's entries; which of them were kept: the same two leaves. What was
                   destroyed is gone: the manifest with a whole recording, a track's segments
certificate        ``recording.erased``: the document's digest
hold               ``hold.placed``: scope, what it is about, category, review; ``hold.released``
access             ``recording.accessed``: who, why and for what, salted
=================  ===================================================================

The other tables (accounts, sessions, parties, tickets, states, withdrawals) are what
the product works with; what happened in them has a leaf, but their rows are not compared.
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
)
"""The tables that the log commits to: ``audit.verify`` compares every row of them."""
