"""The house stands as drawn: who may import whom, how long a file may be, that each has its test.

The drawing is the tables below; a new module finds its place in ORDER before anything else.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("avsession", "signaling", "recorder", "web")

# Small modules with no business of their own; anyone may import them, and they import only each
# other. The package itself is the map: words, no imports.
LEAVES = (
    "avsession",
    "avsession.clock",
    "avsession.errors",
    "avsession.forwarded",
    "avsession.tasks",
    "avsession.text",
    "avsession.canonical",
    "avsession.logs",
)

# One way, from the left to the right: a module imports its own line and the lines above it.
ORDER = (
    LEAVES,
    ("avsession.session", "avsession.sdp", "avsession.signed"),
    ("avsession.consent_events",),
    ("avsession.consent", "avsession.recording", "avsession.messages", "avsession.grant"),
    ("avsession.turn",),
    # settings are read at the edge: the rules above are told values; records are what is stored
    ("avsession.config_processes",),
    (
        "avsession.config",
        "avsession.config_outside",
        "avsession.records",
        "avsession.export_records",
        "avsession.staff_records",
        "avsession.signin_records",
        "avsession.webhook_records",
        "avsession.keys",
    ),
    # the ports are shapes only; the log is written through one
    ("avsession.ports",),
    (
        "avsession.audit",
        "avsession.sealing",
        "avsession.privacy",
        "avsession.notices",
        "avsession.passkeys",
        "avsession.passwords",
        "avsession.webhooks",
    ),
    ("avsession.usecases",),
    ("avsession.storage", "signaling", "web", "recorder"),
    (
        "avsession.certificates",
        "avsession.claiming",
        "avsession.custody",
        "avsession.recorders",
        "avsession.supervisor",
    ),
    ("avsession.standby",),
    ("avsession.serve",),
    ("avsession.auditing", "avsession.proving", "avsession.verify_receipt"),
    ("avsession.exporting", "avsession.relaying", "avsession.retaining", "avsession.telling"),
    ("avsession.backup", "avsession.moving"),
    ("avsession.restoring",),
    ("avsession.backing", "avsession.doctor"),
    ("avsession.__main__",),
)

# Each a room of its own, though they stand on one line. Only the composition root joins them.
APART = ("avsession.storage", "signaling", "web", "recorder")

# All that the recorder knows of the core: enough to seal, nothing that could open.
RECORDER_MAY_IMPORT = (
    *LEAVES,
    "avsession.config",
    "avsession.config_processes",
    "avsession.messages",
    "avsession.grant",
    "avsession.recording",
    "avsession.signed",
    "avsession.sealing.seal",
)
# What must not be loaded in its process by any road.
RECORDER_NEVER_REACHES = (
    "avsession.sealing.custody",
    "avsession.sealing.open",
    "avsession.storage",
    "avsession.usecases",
)

# Third parties that only one place knows, so that replacing them is that place's work alone.
ONLY_IN = {
    "sqlalchemy": ("avsession.storage",),
    "alembic": ("avsession.storage",),
    "aiosqlite": ("avsession.storage",),
    "asyncpg": ("avsession.storage",),
    "sqlite3": ("avsession.storage",),
    "aiortc": ("recorder.leg", "recorder.ice"),
    "aioice": ("recorder.leg", "recorder.ice"),
    "pylibsrtp": ("recorder.leg", "recorder.intake"),
    "pyrage": ("avsession.sealing",),
    "webauthn": ("avsession.passkeys",),
    "authlib": ("web.oidc",),
    "joserfc": ("web.oidc",),
}

MOST_LINES = 400

# Source files, or folders of them, without a test file of their own, each with the reason.
WITHOUT_TEST_FILE = {
    "avsession/storage/migrations": "run by every test that opens a database",
}


@cache
def modules() -> dict[str, Path]:
    """Every module of the four rooms by its dotted name."""
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(source: str, known: frozenset[str], *, for_types: bool = True) -> set[str]:
    """The dotted names that a source imports; of a `from`, the submodule where there is one.

    Without `for_types`, what stands under `if TYPE_CHECKING:` does not count.
    """
    names: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            for alias in node.names:
                below = f"{module}.{alias.name}"
                names.add(below if below in known else module)
        elif isinstance(node, ast.If) and not for_types and "TYPE_CHECKING" in ast.dump(node.test):
            waiting.extend(node.orelse)
        else:
            waiting.extend(ast.iter_child_nodes(node))
    return names


@cache
def imports_of(module: str, *, for_types: bool = True) -> frozenset[str]:
    source = modules()[module].read_text(encoding="utf-8")
    return frozenset(imported(source, frozenset(modules()), for_types=for_types))


def own_imports() -> Iterator[tuple[str, str]]:
    """Each (module, imported module) inside the project."""
    for module in modules():
        for name in sorted(imports_of(module)):
            if name.split(".")[0] in ROOMS:
                yield module, name


def within(module: str, places: tuple[str, ...]) -> bool:
    """Whether the module is one of these places or stands in one. `avsession` is only itself."""
    return any(
        module == place or (place != "avsession" and module.startswith(f"{place}."))
        for place in places
    )


def line_of(module: str) -> int | None:
    return next((n for n, places in enumerate(ORDER) if within(module, places)), None)


def hold(wrong: list[str], rule: str) -> None:
    if wrong:
        pytest.fail("\n  ".join([rule, *wrong]), pytrace=False)


def test_every_module_has_its_place() -> None:
    wrong = [f"{module} has none" for module in modules() if line_of(module) is None]
    hold(wrong, "A new module is given its place in ORDER first:")


def test_imports_run_one_way() -> None:
    wrong = []
    for module, name in own_imports():
        here, there = line_of(module), line_of(name)
        if here is not None and there is not None and there > here:
            wrong.append(f"{module} imports {name}, which stands further right")
    hold(wrong, "Imports run one way, as in ORDER:")


def test_rooms_stand_apart() -> None:
    wrong = []
    for module, name in own_imports():
        here = [room for room in APART if within(module, (room,))]
        there = [room for room in APART if within(name, (room,))]
        if here and there and here != there:
            wrong.append(f"{module} imports {name}")
    hold(wrong, f"{', '.join(APART)} never import one another; they meet in __main__:")


def test_recorder_knows_little_of_the_core() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, name in own_imports()
        if within(module, ("recorder",)) and not within(name, (*RECORDER_MAY_IMPORT, "recorder"))
    ]
    hold(wrong, f"Of the core the recorder imports only {', '.join(RECORDER_MAY_IMPORT)}:")


def test_recorder_cannot_reach_what_opens() -> None:
    wrong = []
    roads = {module: module for module in modules() if within(module, ("recorder",))}
    waiting = list(roads)
    while waiting:
        module = waiting.pop()
        for name in sorted(loaded_with(module)):
            if name not in roads:
                roads[name] = f"{roads[module]} -> {name}"
                waiting.append(name)
                if within(name, RECORDER_NEVER_REACHES):
                    wrong.append(roads[name])
    hold(wrong, "The recorder's process must not load what opens or writes:")


def loaded_with(module: str) -> set[str]:
    """What importing a module imports at once: its own imports, and the packages above each."""
    names: set[str] = set()
    for name in imports_of(module, for_types=False):
        parts = name.split(".")
        names.update(".".join(parts[: n + 1]) for n in range(len(parts)))
    return names & modules().keys()


def test_third_parties_stay_where_they_are_known() -> None:
    wrong = [
        f"{module} imports {name}; only {' and '.join(ONLY_IN[name.split('.')[0]])} may"
        for module in modules()
        for name in sorted(imports_of(module))
        if name.split(".")[0] in ONLY_IN and not within(module, ONLY_IN[name.split(".")[0]])
    ]
    hold(wrong, "A third party that one place hides was imported elsewhere:")


def test_no_import_cycles() -> None:
    hold(
        [" -> ".join(cycle) for cycle in cycles()],
        "Modules that import one another are one module in two files:",
    )


def cycles() -> Iterator[list[str]]:
    """Each cycle once, found by walking on from every module and meeting oneself."""
    done: set[str] = set()

    def walk(module: str, road: list[str]) -> Iterator[list[str]]:
        if module in road:
            yield [*road[road.index(module) :], module]
        elif module not in done:
            for name in sorted(imports_of(module, for_types=False) & modules().keys() - {module}):
                yield from walk(name, [*road, module])
            done.add(module)

    for module in modules():
        yield from walk(module, [])


def test_files_fit_in_the_head() -> None:
    wrong = []
    for top in (*ROOMS, "tests"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in {".py", ".js", ".ts"}:
                lines = len(path.read_text(encoding="utf-8").splitlines())
                if lines > MOST_LINES:
                    wrong.append(f"{path.relative_to(ROOT)} has {lines} lines")
    hold(wrong, f"No file is longer than {MOST_LINES} lines; it is doing two things:")


def test_every_source_file_has_its_test() -> None:
    wrong = []
    for path in modules().values():
        source = path.relative_to(ROOT)
        test = "tests" / source.parent / f"test_{source.stem.strip('_')}.py"
        if needs_test(path) and not (ROOT / test).exists():
            wrong.append(f"{source} has no {test}")
    hold(wrong, "Each source file has its test file:")


def needs_test(path: Path) -> bool:
    """Words, shapes and protocols alone have nothing to run; mypy and their users hold them."""
    if any(excepts(place, path) for place in WITHOUT_TEST_FILE):
        return False
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return any(isinstance(node, functions) and does_something(node) for node in ast.walk(tree))


def does_something(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """False for a Protocol's method: a docstring or `...` alone."""
    return not all(
        isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)
        for line in function.body
    )


def excepts(place: str, path: Path) -> bool:
    return path.is_relative_to(ROOT / place)


def test_exceptions_are_still_needed() -> None:
    wrong = [
        f"{place} names nothing"
        for place in WITHOUT_TEST_FILE
        if not any(excepts(place, path) for path in modules().values())
    ]
    hold(wrong, "An exception whose file is gone goes too:")


def test_only_one_helper_spawns_tasks() -> None:
    """ruff bans asyncio.create_task; this finds the same thing asked of a loop."""
    wrong = []
    for module, path in modules().items():
        if module == "avsession.tasks":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = ast.unparse(node.func.value).removesuffix("()")
                if node.func.attr == "create_task" and owner.endswith("loop"):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node.func)}")
    hold(wrong, "A crash in a bare task is lost; avsession.tasks spawns them:")


def test_the_reader_of_imports_reads_them_all() -> None:
    source = """
import aiohttp.web
from avsession import consent, errors as e
from avsession.session import Party
if TYPE_CHECKING:
    from avsession import ports
def late():
    import sqlalchemy
"""
    known = frozenset({"avsession.consent", "avsession.errors", "avsession.ports"})
    at_runtime = {
        "aiohttp.web", "avsession.consent", "avsession.errors", "avsession.session", "sqlalchemy"
    }  # fmt: skip
    assert imported(source, known, for_types=False) == at_runtime
    assert imported(source, known) == at_runtime | {"avsession.ports"}
