"""Values that the examples in the route table share."""

ACCOUNT = "acc_aaaaaaaaaaaaaaaaaaaaaaaaaa"
SESSION = "ses_aaaaaaaaaaaaaaaaaaaaaaaaaa"
PARTY = "pty_aaaaaaaaaaaaaaaaaaaaaaaaaa"
REQUEST = "req_aaaaaaaaaaaaaaaaaaaaaaaaaa"
RECORDING = "rec_aaaaaaaaaaaaaaaaaaaaaaaaaa"
TRACK = "trk_aaaaaaaaaaaaaaaaaaaaaaaaaa"
EVENT = "evt_aaaaaaaaaaaaaaaaaaaaaaaaaa"
ACCESS = "acs_aaaaaaaaaaaaaaaaaaaaaaaaaa"
CERTIFICATE = "cer_aaaaaaaaaaaaaaaaaaaaaaaaaa"
PRIVACY_REQUEST = "prv_aaaaaaaaaaaaaaaaaaaaaaaaaa"
STAFF_REQUEST = "stq_aaaaaaaaaaaaaaaaaaaaaaaaaa"
HOLD = "hld_aaaaaaaaaaaaaaaaaaaaaaaaaa"
EXPORT = "exp_aaaaaaaaaaaaaaaaaaaaaaaaaa"
DISCLOSURE = "dis_aaaaaaaaaaaaaaaaaaaaaaaaaa"
PSEUDONYM = "psn_aaaaaaaaaaaaaaaaaaaaaaaaaa"
SECRET = "a" * 43
SHA256 = "a" * 64
NOW = 1_750_000_000_000
LATER = 1_750_086_400_000
DESTRUCTION = {
    "certificate": CERTIFICATE,
    "whole": True,
    "reason": "withdrawn",
    "by": "customer",
    "roles": ["customer"],
    "decided_ms": NOW,
    "done_ms": NOW,
}
"""What a list says of a destruction."""
