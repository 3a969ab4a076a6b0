"""What an export's download key is, and how the small part of an export lies on disk.

Every choice, with its reason:

- The key comes from the secret of the private link (HKDF-SHA-256): the server keeps only the
  hashes of both, so that the database and the disk together open nothing.
- It is not the secret itself: the browser holds it in a cookie, and the secret cannot be had from
  that. But an archive holds the person's receipts, and a receipt opens a fresh private link
  (``usecases/recovery.py``): whoever has the cookie and downloads, or has the archive, can become
  the person. So the archive is to be kept like a key, which its page and the button say; a fresh
  link shows on the person's page, and ends every export that was prepared before it.
- A parcel is sealed with AES-256-GCM under a key of its own (HKDF with the export's id), used once;
  the id is authenticated too, so that no parcel can be passed off as another's.
- It is held whole in memory when it is opened: documents only, :data:`MAX_PARCEL` at most. Media is
  never in it.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from avsession.canonical import b64, unb64
from avsession.errors import Invalid, NotFound

MAX_PARCEL = 128 * 1024 * 1024
"""Bytes of a parcel's content."""
_NONCE = 12


def _derive(secret: bytes, info: str) -> bytes:
    return HKDF(SHA256(), 32, None, info.encode()).derive(secret)


def download_key(secret: str) -> str:
    """The key to everything that is prepared under a private link's secret; 43 characters."""
    return b64(_derive(secret.encode("utf-8", "surrogatepass"), "avsession.export.v1"))


def _parcel_key(key: str, export: str) -> bytes:
    """Raises NotFound when ``key`` is none."""
    try:
        raw = unb64(key)
    except ValueError:
        raise NotFound from None
    return _derive(raw, f"avsession.export.parcel.v1 {export}")


def seal(key: str, export: str, plain: bytes) -> bytes:
    """The parcel. Raises Invalid when it is too large."""
    if len(plain) > MAX_PARCEL:
        raise Invalid("There is too much in this export.")
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(_parcel_key(key, export)).encrypt(nonce, plain, export.encode())


def open_parcel(key: str, export: str, sealed: bytes) -> bytes:
    """What is in a parcel; raises NotFound when the key is not its own, or it was changed."""
    try:
        return AESGCM(_parcel_key(key, export)).decrypt(
            sealed[:_NONCE], sealed[_NONCE:], export.encode()
        )
    except (InvalidTag, ValueError):
        raise NotFound from None
