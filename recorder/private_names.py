"""What the recorder relies on that its libraries do not promise, and in which versions it was read.

`leg` and `ice` use the names of aiortc, aioice, asyncio and ``Session``, `intake` the binding's.
tests/recorder/test_private_names.py fails when one moves, or another version is locked.
"""

PRIVATE_NAMES = {
    "aioice.Connection": (
        "_nominated", "_check_list", "_protocols", "_local_candidates",
        "data_received", "get_component_candidates", "gather_candidates", "turn_server",
        "_transport_policy",
    ),
    "aiortc.RTCDtlsTransport": ("_rx_srtp", "_tx_srtp", "_set_role", "_transport", "_recv_next"),
    "aiortc.RTCCertificate": ("getFingerprints",),
    "pylibsrtp.Session": ("_srtp",),
    "pylibsrtp._binding": ("ffi", "lib"),
    "pylibsrtp._binding.lib": ("srtp_unprotect",),
    "asyncio.SelectorEventLoop": ("_remove_reader",),
}  # fmt: skip
"""Where each name is looked for; instance attributes on an instance."""

VERSIONS = {"aiortc": "1.16.0", "aioice": "0.13.0", "pylibsrtp": "1.0.0"}
"""To move one: read its changes, run the recorder's tests and the bench, then change it here."""
