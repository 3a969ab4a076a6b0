"""A company's OpenID Connect provider on a socket of this machine, which can also lie.

It signs whatever it is told to. What a real one does is tried with a real one, in the browser.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web
from aiohttp.test_utils import TestServer
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import ECKey

from avsession.canonical import b64

CLIENT = "avsession"
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"


class FakeProvider:
    """``issuer`` is its address. ``changed``: what it says otherwise in the next ID token."""

    def __init__(self) -> None:
        self.issuer = ""
        self.key = ECKey.generate_key("P-256", {"kid": "one"}, private=True)
        self.alg = "ES256"
        self.published: list[dict[str, Any]] = [self.key.as_dict(private=False)]
        self.changed: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.asked: dict[str, str] = {}
        self.status = 200
        self.exchanged: list[dict[str, Any]] = []
        self.fetched: list[str] = []
        self.moved = ""
        """Where whoever asks for the metadata is sent on to."""
        self.silent = False
        """Nothing is answered."""
        self.token_status = 200
        self.said = 0
        """Logout tokens so far: each has an identifier of its own."""

    def settings(self, **other: Any) -> dict[str, Any]:
        """The settings that name it."""
        roles = [{"value": "supervisors", "role": "admin"}, {"value": "desk", "role": "agent"}]
        return {
            "issuer": self.issuer, "name": "ACME", "client_id": CLIENT, "roles": roles,
            "internal": True, **other,
        }  # fmt: skip

    def went(self, url: str) -> None:
        """Somebody's browser was sent here."""
        query = parse_qs(urlsplit(url).query, strict_parsing=True)
        self.asked = {name: values[0] for name, values in query.items()}
        assert all(len(values) == 1 for values in query.values())

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """A token; the algorithms are those that a liar might pick, too."""
        made = {"alg": self.alg, "kid": "one", **header}
        claims = {name: value for name, value in claims.items() if value is not None}
        if made["alg"] == "HS256":  # no library lends a hand: the public key as a shared secret
            signed = ".".join(b64(json.dumps(part).encode()) for part in (made, claims))
            mac = hmac.digest(self.key.as_pem(private=False), signed.encode(), "sha256")
            return f"{signed}.{b64(mac)}"
        return jwt.encode(made, claims, self.key, algorithms=[made["alg"]])

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "sub": "u-1", "aud": CLIENT, "iat": now, "exp": now + 300,
            "nonce": nonce, "name": "Ada Lovelace", "groups": ["desk"], "sid": "s-1",
        }  # fmt: skip
        header = self.changed.pop("header", {})
        return self.sign(claims | self.changed, **header)

    def logout_token(self, *, header: dict[str, Any] | None = None, **changed: Any) -> str:
        now = int(time.time())
        self.said += 1
        claims: dict[str, Any] = {
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 120,
            "jti": f"j-{self.said}", "sid": "s-1", "events": {LOGOUT: {}},
        }  # fmt: skip
        return self.sign(claims | changed, **({"typ": "logout+jwt"} | (header or {})))

    async def discovery(self, request: web.Request) -> web.Response:
        self.fetched.append("metadata")
        if self.silent:
            await asyncio.Event().wait()
        if self.moved:
            raise web.HTTPFound(self.moved)
        place = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "end_session_endpoint": f"{self.issuer}/end",
        }
        return web.json_response(place | self.metadata, status=self.status)

    async def keys(self, request: web.Request) -> web.Response:
        self.fetched.append("keys")
        return web.json_response({"keys": self.published})

    async def token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.exchanged.append(form | {"authorization": request.headers.get("Authorization")})
        right = (
            form["code"] == "right"
            and form["redirect_uri"] == self.asked["redirect_uri"]
            and create_s256_code_challenge(form["code_verifier"]) == self.asked["code_challenge"]
        )
        if not right:
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = self.id_token(self.asked["nonce"])
        told = {"id_token": token, "access_token": "at", "token_type": "Bearer"}
        return web.json_response(told, status=self.token_status)


@asynccontextmanager
async def providing() -> AsyncIterator[FakeProvider]:
    """A provider, listening."""
    made = FakeProvider()
    application = web.Application()
    application.router.add_get("/.well-known/openid-configuration", made.discovery)
    application.router.add_get("/jwks", made.keys)
    application.router.add_post("/token", made.token)
    server = TestServer(application, host="127.0.0.1")
    await server.start_server(access_log=None)
    made.issuer = str(server.make_url("")).rstrip("/")
    try:
        yield made
    finally:
        await server.close()
