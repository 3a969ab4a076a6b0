"""The audit log: what happened, in the order it happened, without saying to whom.

``log`` appends leaves inside the transaction that changes the state. A leaf is canonical JSON
(RFC 8785) with a dense index; it holds pseudonyms, opaque references, digests and salted
commitments, so that it can stay when a person's details go.

``absence`` tells a detail that was erased from one that somebody took away.
"""
