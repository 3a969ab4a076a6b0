"""Settings: one TOML file and ``AVSESSION_…`` variables of the same names. Frozen.

An unknown key is an error, not a silence. The environment is read only by the entry points,
which pass it to :func:`load`. A nested key's variable joins with two underscores:
``AVSESSION_CONTROLLER__NAME``; lists and tables are given there as JSON.
"""

from __future__ import annotations

import re
import tomllib
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from avsession.config_outside import Company, Webhooks, is_loopback_host, outside_problems
from avsession.config_processes import Custody, Recorder, recorder_problems
from avsession.errors import SettingsInvalid
from avsession.forwarded import Header, Proxies
from avsession.messages.common import IceServer
from avsession.turn.settings import Turn, relay_problems
from avsession.turn.settings import problems as turn_problems

Seconds = Annotated[int, Meta(ge=1, le=2_000_000)]
"""A duration in seconds; 2,000,000 (23 days) is the ceiling for every session lifetime."""


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of settings."""


Phrase = dict[str, str]
"""A phrase by language; English must be there and stands in for what is missing."""


def phrase(by_language: Phrase, language: str) -> str:
    """The phrase in ``language``, or in English."""
    return by_language.get(language) or by_language["en"]


def _phrase(en: str, de: str) -> Phrase:
    default: Phrase = msgspec.field(default_factory=lambda: {"en": en, "de": de})
    return default


class Controller(_Section, frozen=True, kw_only=True):
    """The company that answers to the law for the recordings (GDPR Art. 4(7), 13)."""

    name: str = "Example Support Ltd"
    address: str = "1 Example Street, Example City"
    contact: str = "privacy@example.com"
    dpo: str = "dpo@example.com"
    jurisdiction: str = "EU"
    storage_location: Phrase = _phrase(
        "on this company's own server", "auf dem eigenen Server des Unternehmens"
    )
    recipients: Phrase = _phrase(
        "quality reviewers of the company", "Qualitätsbeauftragte des Unternehmens"
    )
    authority: Phrase = _phrase(
        "your national data protection authority", "Ihrer Datenschutzaufsichtsbehörde"
    )


class Processor(_Section, frozen=True, kw_only=True):
    """Somebody who processes data for the controller (GDPR Art. 28); the policy lists them."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    what_for: Phrase
    where: Phrase


class PurposeSetting(_Section, frozen=True, kw_only=True):
    """A purpose that recording may be asked for. ``label`` by language, English required."""

    id: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,31}$(?!\n)")]
    label: Phrase
    data: tuple[str, ...] = ("image", "voice", "what is said and shown")
    keep_days: Annotated[int, Meta(ge=1, le=3650)] = 30


def _purposes() -> tuple[PurposeSetting, ...]:
    return (
        PurposeSetting(
            id="quality",
            label={
                "en": "Improving our service and training our staff",
                "de": "Verbesserung unseres Service und Schulung unserer Mitarbeitenden",
            },
            keep_days=30,
        ),
        PurposeSetting(
            id="evidence",
            label={
                "en": "Documenting what was agreed in this call",
                "de": "Dokumentation dessen, was in diesem Gespräch vereinbart wurde",
            },
            keep_days=180,
        ),
    )


class Consent(_Section, frozen=True, kw_only=True):
    """How recording is asked for. Times in seconds."""

    purposes: Annotated[tuple[PurposeSetting, ...], Meta(min_length=1, max_length=16)] = (
        msgspec.field(default_factory=_purposes)
    )
    legal_basis: dict[str, str | Phrase] = msgspec.field(
        default_factory=lambda: {
            "customer": "GDPR Art. 6(1)(a), consent",
            "agent": "GDPR Art. 6(1)(a), consent",
        }
    )
    """By role: one text for every language, or a phrase by language."""
    answer_s: Annotated[int, Meta(ge=20, le=600)] = 60
    warn_s: Annotated[int, Meta(ge=10, le=590)] = 40
    max_extensions: Annotated[int, Meta(ge=1, le=100)] = 10
    max_refusals: Annotated[int, Meta(ge=1, le=10)] = 2
    fate_s: Annotated[int, Meta(ge=5, le=3600)] = 120
    """How long keep or destroy may be chosen after a withdrawal; no choice means destroy."""


Days = Annotated[int, Meta(ge=0, le=3650)]
"""A time of retention in days, ten years at most."""


class Retention(_Section, frozen=True, kw_only=True):
    """How long what is kept, beside recordings, whose times their notices tell. Days.

    ``avsession.privacy.retention`` has the whole table.
    """

    key_backup_days: Days = 0
    """How long a backup of the key store is kept at most; 0: none is made."""
    session_days: Days = 365
    """How long after its end a session's persons are known; then its figures stay."""
    login_days: Days = 365
    """How long the log can say who signed in."""
    invitation_days: Days = 1
    """How long an invitation that ran out can be told from one that never was."""
    spool_days: Days = 7
    """How long what a recorder left behind of a finished recording stays."""
    webhook_days: Annotated[int, Meta(ge=2, le=3650)] = 30
    """How long what was told to other systems can be seen and replayed."""
    leaver_name: Literal["keep", "role", "pseudonym"] = "pseudonym"
    """What a leaver is called in old records; the name only until ``session_days`` have passed."""


class Export(_Section, frozen=True, kw_only=True):
    """What a person may take along, and how long it is ready for them."""

    other_party: Literal["never", "always"] = "never"
    """Whether a person's export holds the other party's track, too. It is the other's data."""
    keep_days: Annotated[int, Meta(ge=1, le=90)] = 7
    """How long an export, or a disclosure's package, can be downloaded; then it is deleted."""
    at_once: Annotated[int, Meta(ge=1, le=20)] = 3
    """Exports that one person may have ready or in the making."""


class SignIn(_Section, frozen=True, kw_only=True):
    """Staff sessions and links. Seconds."""

    idle_s: Seconds = 1800
    absolute_s: Seconds = 43_200
    invitation_s: Seconds = 86_400
    seat_s: Seconds = 43_200
    access_s: Seconds = 3600
    """How long one opened recording may be watched before a reason is asked for again."""


class Media(_Section, frozen=True, kw_only=True):
    """ICE and the recorder's leg."""

    ice_servers: Annotated[tuple[IceServer, ...], Meta(max_length=8)] = ()
    relay_only: bool = False
    recorder_ice_servers: Annotated[tuple[IceServer, ...], Meta(max_length=8)] = ()
    max_height: Annotated[int, Meta(ge=180, le=2160)] = 720
    max_bitrate: Annotated[int, Meta(ge=100_000, le=20_000_000)] = 1_500_000
    delay_ms: Annotated[int, Meta(ge=0, le=400)] = 400


class Proxy(_Section, frozen=True, kw_only=True):
    """The reverse proxy in front, if there is one."""

    trusted: Annotated[tuple[str, ...], Meta(max_length=64)] = ()
    """Addresses and networks of proxies: only they may say who asks, and by which scheme."""
    header: Header = "x-forwarded"
    """Which headers they set, over whatever a client sent: the one kind that is read."""
    plain: bool = False
    """The port speaks plain HTTP, to them and to this machine alone; TLS is theirs."""


_PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?")


class Settings(_Section, frozen=True, kw_only=True):
    """Everything that can be set. Times as each section says."""

    public_url: str = "https://localhost:8443"
    listen: str = "localhost"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8443
    data: str = "data"
    database: str | None = None
    """URL of a database (``storage/POSTGRESQL.md``); the default is SQLite in the data folder."""
    certificate: str | None = None
    certificate_key: str | None = None
    allowed_origins: tuple[str, ...] = ()
    """Origins besides the public address's own."""
    metrics_from: Annotated[tuple[str, ...], Meta(max_length=64)] = ("127.0.0.0/8", "::1/128")
    """Addresses and networks that may ask for the metrics."""
    recorders: Annotated[int, Meta(ge=0, le=64)] = 1
    recorder_capacity: Annotated[int, Meta(ge=1, le=1000)] = 16
    """Recordings that each recorder carries at once."""
    recorder_min_free_mb: Annotated[int, Meta(ge=0, le=10_000_000)] = 512
    """With less free space than this (MiB, in a recorder's spool) no recording starts."""
    log_origin: Annotated[str, Meta(pattern=r"^[^\s+]+$(?!\n)", max_length=200)] | None = None
    """The audit log's name in its checkpoints; none: ``<public host>/avsession``."""
    minimum_age: Annotated[int, Meta(ge=0, le=25)] = 13
    """Who joins says to be at least so old (years); 0: nobody is asked."""
    drain_s: Annotated[int, Meta(ge=0, le=86_400)] = 0
    """How long SIGTERM waits for calls to end before the server stops (s); 0: it does not."""
    standby: bool = False
    """Wait while another server runs on the database (PostgreSQL), and take over from it."""
    backup_days: Days = 7  # how old the newest backup may be; 0: they are made another way
    log_json: bool = False
    log_level: Annotated[str, Meta(pattern=r"^(DEBUG|INFO|WARNING|ERROR)$(?!\n)")] = "INFO"
    controller: Controller = Controller()
    processors: Annotated[tuple[Processor, ...], Meta(max_length=64)] = ()
    """The register of processors: who, what for, where."""
    consent: Consent = msgspec.field(default_factory=Consent)
    retention: Retention = Retention()
    export: Export = Export()
    signin: SignIn = SignIn()
    custody: Custody = Custody()
    recorder: Recorder = Recorder()
    media: Media = Media()
    turn: Turn = Turn()
    proxy: Proxy = Proxy()
    webhooks: Webhooks = Webhooks()
    company: Company = Company()

    @property
    def base(self) -> str:
        """The path prefix of the public address: "" or such as ``/calls``."""
        return urllib.parse.urlsplit(self.public_url).path.rstrip("/")

    @property
    def address(self) -> str:
        """The public address, without a slash at its end: what every link begins with."""
        return self.origin + self.base

    @property
    def origin(self) -> str:
        """The public address's origin, as browsers send it."""
        parts = urllib.parse.urlsplit(self.public_url)
        # browsers leave the scheme's own port out
        netloc = parts.netloc.removesuffix(":443") if parts.scheme == "https" else parts.netloc
        return f"{parts.scheme}://{netloc}".lower()

    @property
    def public_host(self) -> str:
        """The public address's host name."""
        return urllib.parse.urlsplit(self.public_url).hostname or ""

    @property
    def origins(self) -> frozenset[str]:
        """Every Origin that may speak to us."""
        return frozenset({self.origin, *(origin.lower() for origin in self.allowed_origins)})

    @property
    def is_loopback(self) -> bool:
        """Whether the public address is this machine's own: only then local shortcuts exist."""
        return is_loopback_host(self.public_host)


PREFIX = "AVSESSION_"


def load(path: Path | None, environ: Mapping[str, str], **overrides: Any) -> Settings:
    """Settings from a TOML file, then ``AVSESSION_…`` variables, then ``overrides``.

    Raises SettingsInvalid, which names the key, on an unknown key or a value out of range, and
    with a list of everything missing when the public address is not a loopback one.
    """
    raw: dict[str, Any] = {}
    if path is not None:
        try:
            raw = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsInvalid(f"The settings file cannot be read: {error}") from error
    # sorted, so that a table comes before the keys inside it, whatever the order it was set in
    for name, text in sorted(environ.items()):
        if name.startswith(PREFIX) and name != f"{PREFIX}CONFIG":
            _put(raw, name.removeprefix(PREFIX).lower().split("__"), text)
    raw.update({key: value for key, value in overrides.items() if value is not None})
    try:
        settings = msgspec.convert(raw, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsInvalid(f"The settings are not valid: {error}") from error
    if problems := check(settings):
        listed = "\n".join(f"- {p}" for p in problems)
        raise SettingsInvalid(f"The settings are not valid:\n{listed}")
    return settings


def _put(raw: dict[str, Any], keys: list[str], text: str) -> None:
    for key in keys[:-1]:
        raw = raw.setdefault(key, {})
        if not isinstance(raw, dict):
            raise SettingsInvalid(f"{key} is a value and a table at once.")
    try:
        value = msgspec.json.decode(text) if text[:1] in ("[", "{") else text
    except msgspec.DecodeError as error:
        raise SettingsInvalid(f"{'.'.join(keys)} is not valid JSON: {error}") from error
    raw[keys[-1]] = value


def check(settings: Settings) -> list[str]:
    """What is wrong or missing, a sentence each; empty when the settings can be used."""
    problems = []
    try:
        urllib.parse.urlsplit(settings.public_url).port  # noqa: B018 - it checks as it reads
    except ValueError:
        return ["public_url is not a URL"]
    if not settings.public_url.startswith("https://"):
        problems.append("public_url must begin with https://: browsers give no camera without TLS")
    parts = urllib.parse.urlsplit(settings.public_url)
    if parts.query or parts.fragment or not _PREFIX.fullmatch(parts.path):
        problems.append("public_url may have a path of plain names, but no query or fragment")
    for key, networks in (
        ("proxy.trusted", settings.proxy.trusted),
        ("metrics_from", settings.metrics_from),
    ):
        try:
            Proxies(networks)
        except ValueError as error:
            problems.append(f"{key}: {error}")
    if settings.proxy.plain and not settings.proxy.trusted:
        problems.append("proxy.plain needs the proxies' addresses in proxy.trusted")
    if settings.consent.warn_s >= settings.consent.answer_s:
        problems.append("consent.warn_s must be less than consent.answer_s")
    if settings.signin.idle_s > settings.signin.absolute_s:
        problems.append("signin.idle_s must not exceed signin.absolute_s")
    ids = [purpose.id for purpose in settings.consent.purposes]
    if len(set(ids)) != len(ids):
        problems.append("consent.purposes: every id must be there once")
    problems += [
        f"consent.purposes.{purpose.id}: the English label is missing"
        for purpose in settings.consent.purposes
        if "en" not in purpose.label
    ]
    problems += [
        f"controller.{key}: English is missing"
        for key in ("storage_location", "recipients", "authority")
        if not getattr(settings.controller, key).get("en")
    ]
    problems += [
        f"processors.{one.name}.{key}: English is missing"
        for one in settings.processors
        for key in ("what_for", "where")
        if not getattr(one, key).get("en")
    ]
    problems += [
        f"consent.legal_basis.{role} is missing"
        for role in ("customer", "agent")
        if not settings.consent.legal_basis.get(role)
    ]
    problems += [
        f"consent.legal_basis.{role}: English is missing"
        for role, basis in settings.consent.legal_basis.items()
        if isinstance(basis, dict) and basis and not basis.get("en")
    ]
    media, turn = settings.media, settings.turn
    problems += turn_problems(turn)
    sets = {"ice_servers": media.ice_servers, "recorder_ice_servers": media.recorder_ice_servers}
    problems += relay_problems(turn, sets, relay_only=media.relay_only)
    problems += outside_problems(settings.webhooks, settings.company)
    problems += recorder_problems(settings.recorder, settings.recorder_capacity)
    if not settings.is_loopback:
        problems += _public_problems(settings)
    return problems


def _public_problems(settings: Settings) -> list[str]:
    """What a real address needs and local defaults must not stand in for."""
    problems = []
    if not settings.proxy.plain and not (settings.certificate and settings.certificate_key):
        problems.append("certificate and certificate_key must name files for the public address")
    default = Controller()
    problems += [
        f"controller.{key} must be your company's own"
        for key in ("name", "address", "contact", "dpo")
        if getattr(settings.controller, key) == getattr(default, key)
    ]
    return problems
