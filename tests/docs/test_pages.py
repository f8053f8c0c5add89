"""The pages that people read: what they name exists, and what exists they name."""

import ast
import re
from functools import cache

import pytest

from bot import cli, init
from bot.crashpoints import CrashPoint
from bot.settings import Settings, env_names
from tests.conftest import NEVER_EXPIRING, NEVER_EXPIRING_ELSEWHERE, NEVER_EXPIRING_OF_A_WORKSPACE
from tests.docs.pages import ROOT, anchors, block, links, page, pages, quoted

PACKAGES = ("bot", "adapters", "handlers")
OURS = re.compile(r"(?:bot|adapters|handlers|tests|docs|deploy|bench)/[\w./*-]*")


@pytest.mark.parametrize("name", pages())
def test_every_link_leads_somewhere(name: str) -> None:
    """Files that a page links to exist, and so do the headings; addresses are https."""
    text = page(name)
    for target in links(text):
        place, _, heading = target.partition("#")
        if ":" in place:
            assert place.startswith("https://"), target
            continue
        file = (ROOT / name).parent / place if place else ROOT / name
        assert file.exists(), f"{name} links to {target}"
        assert not heading or heading in anchors(file.read_text(encoding="utf-8")), f"{name} links to {target}"


@pytest.mark.parametrize("name", pages())
def test_every_path_and_setting_that_a_page_names_exists(name: str) -> None:
    """Files and folders between back-ticks are in the tree (or match it), and each PARLEY_ variable is a setting."""
    known = set(env_names().values()) | {"PARLEY_CONTAINER"}
    for said in quoted(page(name)):
        if found := OURS.fullmatch(said):
            assert list(ROOT.glob(found.group().rstrip("/"))), f"{name} names {said}"
        for variable in re.findall(r"\bPARLEY_[A-Z_]+[A-Z]\b", said):
            assert variable in known or variable.startswith("PARLEY_PROVIDER_"), f"{name} names {variable}"


def test_the_readmes_make_targets_exist() -> None:
    """Every `make WORD` of a page that tells commands is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", page("Makefile"), re.MULTILINE))
    for name in pages():
        text = page(name)
        told = [said for said in quoted(text) if said.startswith("make ")]
        told += [line.strip() for line in block(text, "make ") if line.strip().startswith("make ")]
        for said in told:
            words = [word for word in said.split()[1:] if "=" not in word]
            assert words, f"{name}: {said}"
            assert words[0] in targets, f"{name}: {said}"


def test_the_readmes_commands_and_flags_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Every `parley COMMAND --flag` of a page is one that the command line takes."""
    flags = _command_line(capsys)
    seen = set()
    for name in pages():
        text = page(name)
        for said in (*quoted(text), *block(text, ".venv/bin/parley"), *block(text, "docker compose")):
            # In a container `run --rm bot` stands where "parley" would.
            match = re.match(r"(?:\.venv/bin/parley|parley|docker compose run --rm bot) (\w+)(.*)", said)
            if match:
                command, rest = match.groups()
                assert command in flags, f"{name}: {said}"
                assert set(re.findall(r"--[a-z-]+", rest)) <= flags[command], f"{name}: {said}"
                seen.add(command)
    assert seen >= {"run", "chat", "ask", "init", "doctor", "dead", "health"}


def test_the_readme_tells_every_command_and_every_preset(capsys: pytest.CaptureFixture[str]) -> None:
    """The table of commands is the command line's, and the table of presets is that of `parley init`."""
    text = page("README.md")
    assert set(re.findall(r"^\| `parley (\w+)[^`]*` \|", text, re.MULTILINE)) == set(_command_line(capsys))
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == set(init.PRESETS)


def test_the_readme_shows_a_picture_and_the_two_commands() -> None:
    """A newcomer finds what it looks like, `make run` and `make test`."""
    text = page("README.md")
    picture = re.search(r"!\[[^\]]{20,}\]\(([^)]+)\)", text)
    assert picture
    assert (ROOT / picture[1]).stat().st_size > 1000
    assert {"make run", "make test"} <= {" ".join(line.split()[:2]) for line in block(text, "make run")}


def test_the_readmes_figures_are_those_of_the_settings() -> None:
    """How long things are kept is what the settings say."""
    settings, text = Settings(), " ".join(page("README.md").split())
    assert f"{settings.transcript_days} days and {settings.transcript_messages:,} messages" in text
    assert f"for {settings.why_days} days" in text


def test_the_readmes_measured_figures_are_those_of_the_performance_page() -> None:
    """Each row of its table stands in docs/performance.md with the same figure, and what falls short says so."""
    lines = [line for line in page("docs/performance.md").splitlines() if line.startswith("| ")]
    measured = {what.strip(): rest for what, *rest in (line.split("|")[1:-1] for line in lines)}
    rows = re.findall(r"^\| (.+?) \| (\d[^|]*) \| (.+?) \|$", page("README.md"), re.MULTILINE)
    assert rows
    for what, figure, goal in rows:
        found, _, verdict = measured[what]
        assert found.strip().partition(" (")[0] == figure, what
        assert ("**short**" in verdict) == ("**short**" in goal), what


def test_the_architecture_names_every_module_and_nothing_else() -> None:
    """docs/architecture.md has one row for each file of the three packages, and none for a file that is not there."""
    rows = re.findall(
        r"^\| `((?:bot|adapters|handlers)/[^`]+)` \| (.+) \|$", page("docs/architecture.md"), re.MULTILINE
    )
    named = [file for file, _ in rows]
    assert len(named) == len(set(named))
    assert set(named) == _modules()
    assert [file for file, line in rows if len(line) > 130] == []
    data = {file.relative_to(ROOT).as_posix() for file in (ROOT / "bot" / "data").iterdir()}
    assert data <= quoted(page("docs/architecture.md"))


def test_the_architecture_names_every_key_of_the_store() -> None:
    """Its tables have the keys of bot/lua, and what they say never expires is what the tests allow to live for ever."""
    rows = re.findall(r"^\| `([a-z]+:?)(?:<\w+>)?` \| .+ \| (.+) \|$", page("docs/architecture.md"), re.MULTILINE)
    scripts = "\n".join(file.read_text() for file in (ROOT / "bot" / "lua").glob("*.lua"))
    assert {key for key, _ in rows} == set(re.findall(r"\bP \.\. '([a-z]+:?)'", scripts))
    forever = {*NEVER_EXPIRING, *NEVER_EXPIRING_OF_A_WORKSPACE}
    assert {key for key, expiry in rows if expiry.startswith("never")} == forever
    assert {f"`{key}`" for key in NEVER_EXPIRING_ELSEWHERE} <= {
        f"`{said}`" for said in quoted(page("docs/architecture.md"))
    }


def test_the_journey_tells_every_crash_point_in_order() -> None:
    """Each member of CrashPoint has its row: what is durable, what the next worker does, what the reader sees."""
    rows = re.findall(r"^\| `([A-Z_]+)` \|(.+)\|$", page("docs/journey-of-a-message.md"), re.MULTILINE)
    assert [name for name, _ in rows] == [point.name for point in CrashPoint]
    assert [
        name for name, row in rows if [cell.strip() for cell in row.split("|")].count("") or row.count("|") != 2
    ] == []


def test_every_crash_point_is_reached_somewhere() -> None:
    """No crash point is only a name."""
    code = "\n".join((ROOT / file).read_text() for file in _modules() if file.endswith(".py"))
    assert [point.name for point in CrashPoint if f"reach(CrashPoint.{point.name})" not in code] == []


@pytest.mark.parametrize("name", ["docs/journey-of-a-message.md", "docs/architecture.md", "docs/glossary.md"])
def test_the_functions_that_a_page_names_exist(name: str) -> None:
    """`Class.method` and the names of functions are those of the code."""
    members, names = _code()
    for said in quoted(page(name)):
        if re.fullmatch(r"[A-Z]\w+\.\w+", said):
            assert said in members, f"{name} names {said}"
        elif re.fullmatch(r"[a-z]+_[a-z_]+|[A-Z][a-z]+[A-Z]\w+", said):
            assert said in names, f"{name} names {said}"


def test_every_decision_has_its_shape_and_is_listed() -> None:
    """Each page of docs/decisions has a number, the choice, the reason, when to look again; and stands in the list."""
    folder = ROOT / "docs" / "decisions"
    decisions = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    assert [path.name[:4] for path in decisions] == [f"{number:04}" for number in range(1, len(decisions) + 1)]
    listed = links((folder / "README.md").read_text())
    assert listed == [path.name for path in decisions]
    for path in decisions:
        text = path.read_text()
        assert [part in text for part in ("**The choice.**", "**Why.**", "**Look again when**")] == [True] * 3, (
            path.name
        )
        assert 10 <= len(text.splitlines()) <= 25, path.name


def _modules() -> set[str]:
    """The files of the three packages that hold code: all but empty `__init__.py` and those with a docstring alone."""
    found = set()
    for package in PACKAGES:
        for file in (*(ROOT / package).rglob("*.py"), *(ROOT / package).rglob("*.lua")):
            if file.name != "__init__.py":
                found.add(file.relative_to(ROOT).as_posix())
    return found


def _command_line(capsys: pytest.CaptureFixture[str]) -> dict[str, set[str]]:
    """Every command of `parley` with its flags, as its help tells them."""

    def helped(*words: str) -> str:
        with pytest.raises(SystemExit):
            cli.main([*words, "--help"])
        return capsys.readouterr().out

    commands = re.findall(r"^ {4}(\w+) {2}", helped(), re.MULTILINE)
    return {command: set(re.findall(r"--[a-z-]+", helped(command))) for command in commands}


@cache
def _code() -> tuple[set[str], set[str]]:
    """`Class.member` of every class, and every name that is defined, in the three packages and in what they use."""
    members, names = set[str](), set[str]()
    for file in (ROOT / name for name in _modules() if name.endswith(".py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                names.add(node.name)
                for one in node.body:
                    if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
                        members.add(f"{node.name}.{one.name}")
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
    return members, names
