"""Pages and static files: read once at start, served from memory, found by exact name.

There is no path to walk and nothing to list. Every file has an ETag. A page's or a script's
plain address is asked about again each time (304 when it is still the same); with ``?v=`` and
the beginning of its digest it may be kept for a year.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from aiohttp import web

from avsession.audit import receipt_page
from avsession.errors import SignInRequired
from avsession.usecases.permissions import HOMES
from web import auth
from web.routing import BASE, SERVICES, bases

HERE = Path(__file__).parent

TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".wav": "audio/wav",
    ".txt": "text/plain",
}
"""What is served, by suffix. A file of any other kind is not."""

PUBLIC = {
    "/signin": "signin.html",
    "/join": "join.html",
    "/privacy": "privacy.html",
    "/cookies": "cookies.html",
    "/receipt": "receipt.html",
}
STAFF = {"agent": "agent.html", "admin": "admin.html"}
"""Role -> the page at its home."""
INNER = (
    ("/admin/log", "admin", "log.html"),
    ("/admin/backup", "admin", "backups.html"),
    ("/admin/requests", "admin", "requests.html"),
    ("/admin/disclosures", "admin", "disclosures.html"),
    ("/admin/webhooks", "admin", "webhooks.html"),
)
"""Further pages of a role: path, whose it is, page."""

FRAME = "frame.html"
"""What every page has around what is its own. A page's file is what goes into its head, from the
title on, and its main."""
_HEAD, _MAIN, _BEGINS = b"<!-- head -->\n", b"<!-- main -->\n", b"    <main>\n"
_STAFFS = re.compile(rb" *<!-- staff -->\n(.*?) *<!-- /staff -->\n", re.DOTALL)
"""What only a page of a member of staff has in its header."""

ALONE = "receipt.html"
"""The page that checks receipts: what is chosen there goes nowhere."""
TEXTS = b"<!-- texts -->"
"""The place in it where its texts go."""
ALONE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_OURS = re.compile(rb'\b(href|src)="/')
"""An address of ours in a page."""
VERSION = 16
"""Hex digits of the digest in ``?v=``."""


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent."""

    data: bytes
    content_type: str
    digest: str
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def respond(self, request: web.Request, cache: str) -> web.Response:
        """The file, or 304 when the caller has this very one."""
        etag = f'"{self.digest}"'
        headers = {**self.headers, "ETag": etag, "Cache-Control": cache}
        if _has(request, self.digest):
            return web.Response(status=304, headers=headers)
        charset = "utf-8" if self.content_type.startswith("text/") else None
        return web.Response(
            body=self.data, content_type=self.content_type, charset=charset, headers=headers
        )


def load(folder: Path) -> dict[str, File]:
    """Every file below ``folder`` that is of a served kind, by its name from there.

    Blocking. Hidden files, links and other kinds are left out.
    """
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or path.is_symlink() or not path.is_file() or path.suffix not in TYPES:
            continue
        data = path.read_bytes()
        files[name] = File(data, TYPES[path.suffix], hashlib.sha256(data).hexdigest())
    return files


def load_pages(root: Path) -> dict[str, File]:
    """Every page in ``root/pages``, by its file's name, in the frame that all share. Blocking.

    Raises FileNotFoundError when one that is served is missing, or the frame.
    """
    found = load(root / "pages")
    wanted = {FRAME, *PUBLIC.values(), *STAFF.values(), *(name for _, _, name in INNER)}
    if missing := wanted - found.keys():
        raise FileNotFoundError(f"pages are missing: {', '.join(sorted(missing))}")
    frame = found.pop(FRAME).data
    frames = {True: _STAFFS.sub(rb"\1", frame), False: _STAFFS.sub(b"", frame)}
    public = PUBLIC.values()
    return {name: _framed(page, frames[name not in public]) for name, page in found.items()}


def _framed(page: File, frame: bytes) -> File:
    head, begins, rest = page.data.partition(_BEGINS)
    return _changed(page, frame.replace(_HEAD, head).replace(_MAIN, begins + rest))


def _changed(file: File, data: bytes) -> File:
    return dataclasses.replace(file, data=data, digest=hashlib.sha256(data).hexdigest())


def add(app: web.Application, root: Path = HERE) -> None:
    """Serve ``root/pages`` and ``root/static``. Blocking; call it before the loop is busy.

    Raises FileNotFoundError when a page is missing.
    """
    pages, static = load_pages(root), load(root / "static")
    pages[ALONE] = _alone(pages[ALONE], static)
    prefix = app.get(BASE, "")
    pages = {name: _below(prefix, page) for name, page in pages.items()}
    served = {path: _public(pages[name]) for path, name in PUBLIC.items()}
    served |= {HOMES[role]: _home(role, pages[name]) for role, name in STAFF.items()}
    served |= {path: _home(role, pages[name]) for path, role, name in INNER}
    served["/static/{name:.+}"] = _static(static)
    for base in bases(app):
        for path, page in served.items():
            app.router.add_get(base + path, page)
    if prefix:
        app.router.add_get(prefix, _moved(f"{prefix}/"))


def _below(base: str, page: File) -> File:
    """The page with every address of ours below ``base``."""
    if not base:
        return page
    return _changed(page, _OURS.sub(rb'\1="%s/' % base.encode(), page.data))


def _moved(path: str) -> Page:
    async def page(request: web.Request) -> web.Response:
        return _go(path)

    return page


def _alone(page: File, static: dict[str, File]) -> File:
    """The receipt page with its texts in it, so that it needs no connection, and may have none."""
    blocks = {"receipt-texts": json.dumps(receipt_page.texts()).encode()}
    for name, file in static.items():
        folder, _, language = name.rpartition("/")
        if folder == "language":
            blocks[f"texts-{language.removesuffix('.json')}"] = file.data
    made = b"".join(
        b'<script type="application/json" id="%s">%s</script>\n'
        % (name.encode(), data.replace(b"<", b"\\u003c"))
        for name, data in blocks.items()
    )
    alone = dataclasses.replace(page, headers={"Content-Security-Policy": ALONE_POLICY})
    return _changed(alone, page.data.replace(TEXTS, made))


Page = Callable[[web.Request], Awaitable[web.Response]]


def _public(file: File) -> Page:
    async def page(request: web.Request) -> web.Response:
        return file.respond(request, "no-cache")

    return page


def _home(role: str, file: File) -> Page:
    async def page(request: web.Request) -> web.Response:
        try:
            who = await auth.staff(request.app[SERVICES], request)
        except SignInRequired:
            return _go(f"{request.app.get(BASE, '')}/signin")
        if who.role != role:
            return _go(request.app.get(BASE, "") + who.home)
        # no-store: the back button must not show it after the sign-out
        return file.respond(request, "no-store")

    return page


def _static(files: dict[str, File]) -> Page:
    async def static(request: web.Request) -> web.Response:
        file = files.get(request.match_info["name"])
        if file is None:
            raise web.HTTPNotFound
        if request.query_string == f"v={file.digest[:VERSION]}":
            return file.respond(request, "public, max-age=31536000, immutable")
        return file.respond(request, "no-cache")

    return static


def _go(path: str) -> web.Response:
    return web.Response(status=303, headers={"Location": path, "Cache-Control": "no-store"})


def _has(request: web.Request, digest: str) -> bool:
    known = request.if_none_match or ()
    return any(tag.value in (digest, "*") for tag in known)
