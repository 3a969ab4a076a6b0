"""Signatures that another implementation accepts, and files of secrets that say what is wrong."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from avsession.errors import SettingsInvalid
from avsession.webhooks import signing

BODY = '{"type":"webhook.test","data":{"ü":1}}'.encode()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


OLD, NEW = "whsec_" + b64(b"o" * 24), "whsec_" + b64(b"n" * 64)
KEY = Ed25519PrivateKey.generate()
PRIVATE = "whsk_" + b64(KEY.private_bytes_raw())


def written(folder: Path, *lines: str) -> Path:
    path = folder / "secret"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_receiver_with_either_secret_accepts_it(tmp_path: Path) -> None:
    secrets = signing.read(written(tmp_path, "# since May", NEW, "", OLD, PRIVATE))
    now = int(time.time())
    headers = signing.headers(secrets, "msg_1", now, BODY)
    for known in (OLD, NEW):
        Webhook(known).verify(BODY, headers)
    changed: tuple[tuple[str, bytes, dict[str, str]], ...] = (
        ("whsec_" + b64(b"x" * 24), BODY, {}),
        (NEW, BODY + b" ", {}),
        (NEW, BODY, {"webhook-id": "msg_2"}),
        (NEW, BODY, {"webhook-timestamp": str(now - 1)}),
    )
    for secret, body, other in changed:
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, headers | other)


def test_the_asymmetric_signature_is_over_the_same_bytes(tmp_path: Path) -> None:
    signature = signing.read(written(tmp_path, PRIVATE)).sign("msg_1", 5, BODY)
    version, _, value = signature.partition(",")
    assert version == "v1a"
    public = KEY.public_key()
    public.verify(base64.b64decode(value), b"msg_1.5." + BODY)
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(value), b"msg_1.6." + BODY)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["# nothing"],
        ["hunter2"],
        ["whsec_"],
        ["whsec_" + b64(b"x" * 23)],
        ["whsec_" + b64(b"x" * 65)],
        ["whsec_!" + b64(b"x" * 24)],
        ["whsk_" + b64(b"x" * 31)],
        [OLD] * 5,
        [OLD, "#" * 4096],
        ["whsec_ä"],
    ],
)
def test_a_file_that_is_none_is_refused_without_saying_what_is_in_it(
    tmp_path: Path, lines: list[str]
) -> None:
    with pytest.raises(SettingsInvalid, match="webhook secret") as refused:
        signing.read(written(tmp_path, *lines))
    assert not any(line and line in str(refused.value) for line in lines if line != "whsec_")
    with pytest.raises(SettingsInvalid):
        signing.read(tmp_path / "nowhere")
