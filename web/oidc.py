"""The company's OpenID Connect provider: what is asked of it, and what of its answers is believed.

Authorization code with PKCE (RFC 7636), state and nonce; one provider, whose metadata must name the
issuer that is set (OpenID Connect Discovery 1.0 §4.3, RFC 9207). Of tokens only the ID token is
looked at (Core 1.0 §3.1.3.7): signed by the provider's key with one of :data:`ALGORITHMS`, from
this issuer, for this client alone, of this very sign-in, not expired. The access token that comes
with it is dropped, and nothing of either is kept. Logout tokens: Back-Channel Logout 1.0 §2.6.

Every answer has a limit in time and size, and redirects are not followed.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import hmac
import time
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from avsession.config_outside import Company, address_problem
from avsession.errors import NotFound, SettingsInvalid, SignInFailed, Unavailable
from avsession.ports import NotReached
from web import sender
from web.routing import SERVICES

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""Signatures that are believed. None of them is made with a secret that two share, or with none."""
MAX_ANSWER = 256 * 1024
"""Bytes of one answer of the provider's."""
TIMEOUT_S = 10.0
LEEWAY_S = 60
"""How far the two clocks may be apart."""
KEPT_S = 3600.0
"""How long the provider's metadata and keys are kept; a key that is not known asks sooner."""
ANEW_S = 60.0
"""At most this often, so that made-up key names cost the provider nothing."""
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_AGE_S = 300
"""A logout token is no older than this."""
MAX_SUBJECT = 255
"""Characters of ``sub`` (Core 1.0 §2)."""
MAX_SECRET = 4096


RETURN = "/signin"
"""Where the provider sends people back to: the sign-in page."""


class ProviderUnavailable(Unavailable):
    """The company's provider does not answer, or not as a provider does."""

    code = "auth.provider"
    sentence = "Your company's sign-in cannot be reached right now."


@dataclasses.dataclass(frozen=True)
class Over:
    """What a logout token says: whose session, and by which of them; one of the two is there."""

    subject: str | None
    sid: str | None
    token: str
    """Its ``jti``: the token counts once."""


@dataclasses.dataclass(frozen=True)
class _Known:
    """What the provider said of itself, and when (monotonic seconds)."""

    metadata: dict[str, Any]
    keys: KeySet
    at_s: float


class Provider:
    """One provider, as one client of it sees it."""

    def __init__(self, settings: Company, returns_to: str) -> None:
        """``returns_to``: the address that the provider sends people back to."""
        self.settings, self.returns_to = settings, returns_to
        self._known: _Known | None = None
        self._lock = asyncio.Lock()

    @property
    def issuer(self) -> str:
        """The issuer that is set."""
        return self.settings.issuer or ""

    async def address(self, state: str, nonce: str, verifier: str) -> str:
        """Where to send somebody's browser. Raises ProviderUnavailable."""
        metadata = (await self._about()).metadata
        url: str = prepare_grant_uri(
            metadata["authorization_endpoint"],
            client_id=self.settings.client_id,
            response_type="code",
            redirect_uri=self.returns_to,
            scope=" ".join(self.settings.scopes),
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return url

    async def claims(self, code: str, nonce: str, verifier: str) -> dict[str, Any]:
        """The verified claims of who came back with ``code``.

        Raises SignInFailed when the provider or its token does not hold, ProviderUnavailable.
        """
        metadata = (await self._about()).metadata
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.returns_to,
            "client_id": self.settings.client_id,
            "code_verifier": verifier,
        }
        headers = {}
        if (secret := await asyncio.to_thread(secret_of, self.settings)) is not None:
            # RFC 6749 §2.3.1: each half is form-encoded first
            pair = ":".join(map(urllib.parse.quote_plus, (self.settings.client_id, secret)))
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
            del form["client_id"]
        status, answer = await self._fetch(metadata["token_endpoint"], form, headers)
        if status != 200 or not isinstance(answer.get("id_token"), str):
            raise SignInFailed("Your company's sign-in was not confirmed. Try again.")
        token = await self._decoded(answer["id_token"])
        params = {"nonce": nonce, "client_id": self.settings.client_id}
        if isinstance(answer.get("access_token"), str):
            params["access_token"] = answer["access_token"]
        return self._validated(token, params)

    def _validated(self, token: jwt.Token, params: dict[str, str]) -> dict[str, Any]:
        claims = CodeIDToken(token.claims, token.header, self._options(), params)
        try:
            claims.validate(leeway=LEEWAY_S)
        except JoseError as error:
            raise _Refused from error
        self._ours(token.claims)
        if not hmac.compare_digest(str(token.claims.get("nonce")), params["nonce"]):
            raise _Refused
        subject = token.claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
            raise _Refused
        return dict(token.claims)

    def _options(self) -> dict[str, Any]:
        return {
            "iss": {"essential": True, "value": self.issuer},
            "sub": {"essential": True},
            "aud": {"essential": True, "value": self.settings.client_id},
            "iat": {"essential": True},
            "exp": {"essential": True},
        }

    def _ours(self, claims: Mapping[str, Any]) -> None:
        """For this client, and no other one that we do not know."""
        audience = claims.get("aud")
        one = audience if isinstance(audience, list) else [audience]
        if one != [self.settings.client_id] or not isinstance(claims.get("iss"), str):
            raise _Refused

    async def logout(self, token: str) -> Over:
        """Whose session a logout token ends.

        Raises SignInFailed when it does not hold, ProviderUnavailable.
        """
        decoded = await self._decoded(token)
        claims, registry = (
            decoded.claims,
            jwt.JWTClaimsRegistry(
                leeway=LEEWAY_S,
                iss={"essential": True, "value": self.issuer},
                aud={"essential": True, "value": self.settings.client_id},
                iat={"essential": True},
                exp={"essential": True},
                jti={"essential": True},
            ),
        )
        try:
            registry.validate(claims)
        except JoseError as error:
            raise _Refused from error
        self._ours(claims)
        typed = str(decoded.header.get("typ", "")).lower()
        events = claims.get("events")
        if (
            typed not in ("", "jwt", "logout+jwt")
            or "nonce" in claims
            or not isinstance(events, dict)
            or not isinstance(events.get(LOGOUT_EVENT), dict)
            or time.time() - claims["iat"] > LOGOUT_AGE_S
        ):
            raise _Refused
        subject, sid = claims.get("sub"), claims.get("sid")
        known = [one for one in (subject, sid) if one is not None]
        if not known or not all(isinstance(one, str) for one in (*known, claims["jti"])):
            raise _Refused
        return Over(subject, sid, claims["jti"])

    async def leave(self, returns_to: str) -> str | None:
        """Where to end the session at the provider, too; None when it offers no such place."""
        try:
            metadata = (await self._about()).metadata
        except ProviderUnavailable:
            return None
        place = metadata.get("end_session_endpoint")
        if not isinstance(place, str) or address_problem(place) is not None:
            return None
        query = {"client_id": self.settings.client_id, "post_logout_redirect_uri": returns_to}
        return f"{place}{'&' if '?' in place else '?'}{urllib.parse.urlencode(query)}"

    async def _decoded(self, token: str) -> jwt.Token:
        """A token whose signature holds. A key that is not known is asked for anew, once."""
        known = await self._about()
        try:
            return jwt.decode(token, known.keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            if time.monotonic() - known.at_s < ANEW_S:
                raise _Refused from error
        try:
            known = await self._about(anew=True)
            return jwt.decode(token, known.keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise _Refused from error

    async def _about(self, *, anew: bool = False) -> _Known:
        async with self._lock:
            known = self._known
            kept_s = ANEW_S if anew else KEPT_S
            if known is None or time.monotonic() - known.at_s >= kept_s:
                known = self._known = await self._discovered()
        return known

    async def _discovered(self) -> _Known:
        status, metadata = await self._fetch(get_well_known_url(self.issuer, external=True))
        places = [
            metadata.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
        ]
        right = status == 200 and metadata.get("issuer") == self.issuer
        if not right or any(not isinstance(one, str) or address_problem(one) for one in places):
            raise ProviderUnavailable("The provider is not the one that is set.")
        status, keys = await self._fetch(metadata["jwks_uri"])
        try:
            # secrets that two share have no place among public keys
            public = [key for key in keys["keys"] if key.get("kty") != "oct"]
            return _Known(metadata, KeySet.import_key_set({"keys": public}), time.monotonic())
        except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ProviderUnavailable("The provider has no keys.") from error

    async def _fetch(
        self,
        url: str,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """A GET, or with ``form`` a POST: the status, and the JSON object that came."""
        internal = self.settings.internal
        try:
            sender.allowed(url, internal=internal)
            async with (
                asyncio.timeout(TIMEOUT_S),
                sender.session(internal=internal) as client,
                client.request(
                    "GET" if form is None else "POST",
                    url,
                    data=form,
                    headers={"Accept": "application/json", **(headers or {})},
                    allow_redirects=False,
                ) as response,
            ):
                body = await _read(response)
                return response.status, msgspec.json.decode(body, type=dict[str, Any])
        except (TimeoutError, aiohttp.ClientError, OSError, NotReached, ValueError) as error:
            raise ProviderUnavailable from error


PROVIDERS: web.AppKey[dict[Company, Provider]] = web.AppKey("providers", dict)
"""The provider that is set, with what it said of itself."""


def provider(app: web.Application) -> Provider:
    """The provider that is set. Raises NotFound when there is none."""
    settings = app[SERVICES].settings
    if settings.company.issuer is None:
        raise NotFound
    known = app[PROVIDERS]
    if settings.company not in known:
        known.clear()
        known[settings.company] = Provider(settings.company, settings.address + RETURN)
    return known[settings.company]


class _Refused(SignInFailed):
    """What came from the provider does not hold; which part is nobody's to know."""

    sentence = "Your company's sign-in was not confirmed. Try again."


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER:
            raise ProviderUnavailable
    return body


def secret_of(settings: Company) -> str | None:
    """The client's secret; None for a public client. Blocking. Raises ProviderUnavailable."""
    if settings.client_secret_file is None:
        return None
    try:
        with Path(settings.client_secret_file).open("rb") as file:
            return file.read(MAX_SECRET).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ProviderUnavailable from error


def check(settings: Company) -> None:
    """Raise SettingsInvalid when the client's secret cannot be read. Blocking."""
    if settings.issuer is None:
        return
    try:
        if secret_of(settings) == "":
            raise SettingsInvalid("company.client_secret_file is empty")
    except ProviderUnavailable as error:
        raise SettingsInvalid("company.client_secret_file cannot be read") from error
