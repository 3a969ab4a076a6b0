"""What the browser is given: texts in every language, nothing inline, nothing from elsewhere."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from web.pages import load_pages

WEB = Path(__file__).parents[2] / "web"
STATIC = WEB / "static"
PAGES = {name: page.data.decode() for name, page in load_pages(WEB).items()}
"""As they are served."""
SCRIPTS = sorted(STATIC.rglob("*.js"))
LANGUAGES = {
    path.stem: json.loads(path.read_text("utf-8")) for path in STATIC.glob("language/*.json")
}
SERVED = [
    p for p in sorted(WEB.rglob("*")) if p.suffix in {".html", ".js", ".css", ".json", ".svg"}
]

# An XML namespace is a name that looks like an address; nothing is fetched from there.
NAMESPACE = "http://www.w3.org/2000/svg"
TEXT = re.compile(r'\bt\(\s*(?:[^"()]*\?\s*)?"([^"]+)"(?:\s*:\s*"([^"]+)")?')
GROUP = re.compile(r'\bsentence\(\s*"([^"]+)"')
NOTE = re.compile(r'setNote\(\s*"([^"]+)"')
NOTE_GROUP = re.compile(r"setNote\(`([a-z_]+)\.")
TOOL = re.compile(r'\btool\(\s*"([^"]+)"')
KEY_IN_PAGE = re.compile(r'data-t(?:-label)?"?[=:]\s*"([^"]+)"')


class Page(HTMLParser):
    """Collects what a strict policy would refuse, and what names a text."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag == "style" or "style" in names or (tag == "script" and "src" not in names):
            self.wrong.append(f"<{tag}> inline at line {self.getpos()[0]}")
        self.wrong += [f"{name} on <{tag}>" for name in names if name.startswith("on")]
        self.references += [v for n in ("src", "href") if (v := names.get(n))]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_nothing_inline_and_what_it_names_exists(name: str) -> None:
    page = Page()
    page.feed(PAGES[name])
    assert page.wrong == []
    assert all(reference.startswith("/") for reference in page.references)
    for reference in page.references:
        if reference.startswith("/static/"):
            assert (WEB / reference.lstrip("/")).is_file(), reference


STAFFS = re.compile(r'\s*<(?:span id="account"|button type="button" id="sign-out").*')
"""What only a page of a member of staff has in its header."""


@pytest.mark.parametrize("part", ["header", "footer", "noscript"])
def test_every_page_begins_and_ends_alike(part: str) -> None:
    """But for what staff has."""
    found: dict[str, list[str]] = {}
    for name, text in PAGES.items():
        shared = re.findall(rf"\n( *<{part}.*?</{part}>)", text, re.DOTALL)
        assert len(shared) == 1, name
        found.setdefault(STAFFS.sub("", shared[0]), []).append(name)
    assert len(found) == 1, found


@pytest.mark.parametrize("path", SERVED, ids=lambda path: path.name)
def test_nothing_is_fetched_from_elsewhere(path: Path) -> None:
    text = path.read_text("utf-8").replace(NAMESPACE, "")
    assert re.findall(r"(?:https?|wss?):?//[^\s\"')]+", text) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_nothing_is_stored_and_no_html_comes_from_a_string(path: Path) -> None:
    text = path.read_text("utf-8")
    # one file for each place, and what is kept there the registry names
    may = {"allowed.js": "sessionStorage", "stored.js": "localStorage"}.get(path.name)
    kept = {"sessionStorage", "localStorage"} - {may}
    for word in (
        *sorted(kept),
        "indexedDB",
        "caches.",
        "cookieStore",
        "serviceWorker",
        "innerHTML",
        "document.cookie",
        "eval(",
    ):
        assert word not in text


def test_every_language_says_the_same_things() -> None:
    english = LANGUAGES["en"]
    for name, texts in LANGUAGES.items():
        assert texts.keys() == english.keys(), name
        for key, text in texts.items():
            assert text.strip(), f"{name}: {key} is empty"
            places = re.findall(r"\{\w+\}", text)
            assert sorted(places) == sorted(re.findall(r"\{\w+\}", english[key])), f"{name}: {key}"


def test_every_language_is_offered() -> None:
    offered = re.search(r"LANGUAGES = \{([^}]*)\}", (STATIC / "i18n.js").read_text("utf-8"))
    assert offered is not None
    assert set(re.findall(r"(\w+):", offered[1])) == LANGUAGES.keys()


def test_every_text_that_is_named_exists() -> None:
    known = LANGUAGES["en"].keys()
    missing = set()
    scripts = {str(path): path.read_text("utf-8") for path in SCRIPTS}
    for name, source in {**scripts, **PAGES}.items():
        keys = {key for pair in TEXT.findall(source) for key in pair if key}
        keys |= (
            set(TOOL.findall(source)) | set(NOTE.findall(source)) | set(KEY_IN_PAGE.findall(source))
        )
        groups = GROUP.findall(source) + NOTE_GROUP.findall(source)
        keys |= {f"{group}.other" for group in groups}
        missing |= {f"{name}: {key}" for key in keys - known if "{" not in key}
    assert missing == set()
