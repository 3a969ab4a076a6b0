"""The write side: public keys only. Whoever holds this module cannot read what it sealed.

Each segment is one age v1 file to one X25519 recipient. age gives a fresh file key each time,
ChaCha20-Poly1305 in 64 KiB chunks and an explicit last chunk, so a cut file is an error. It
does not say who wrote it: that is what the signed manifest is for.
"""

from __future__ import annotations

import pyrage

from avsession.errors import Invalid


class Sealer:
    """Seals bytes to one track's public key."""

    def __init__(self, recipient: str) -> None:
        """``recipient``: an age X25519 recipient, ``age1…``. Raises Invalid on anything else."""
        try:
            self._recipient = pyrage.x25519.Recipient.from_str(recipient)
        except pyrage.RecipientError as error:
            raise Invalid("That is not an age recipient.") from error

    def seal(self, plain: bytes) -> bytes:
        """``plain`` as a whole age v1 file."""
        return bytes(pyrage.encrypt(plain, [self._recipient]))
