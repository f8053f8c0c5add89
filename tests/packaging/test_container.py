"""The image, the compose file and the workflow: their promises, read from the files themselves."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.settings import Settings

ROOT = Path(__file__).parents[2]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M)
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in lines)]


def final_stage() -> list[tuple[str, str]]:
    """The instructions of the stage that is shipped."""
    everything = instructions()
    last = max(number for number, (word, _) in enumerate(everything) if word == "FROM")
    return everything[last:]


def load(name: str) -> Any:
    """A YAML file of the tree."""
    return yaml.safe_load((ROOT / name).read_text())


def test_what_is_installed_in_the_image() -> None:
    """Packages come by hash from the lock, Parley itself as a wheel; nothing is editable and no index is named."""
    runs = " ".join(rest for word, rest in instructions() if word == "RUN")
    installs = [part.strip() for part in runs.split("&&") if " install " in part and "pip" in part]
    assert len(installs) == 3
    for command in installs:
        is_locked = "--require-hashes --only-binary :all: -r deploy/requirements" in command
        assert is_locked or command.endswith("install --no-index --no-deps /dist/*.whl")
    assert "hatchling build -t wheel" in runs
    assert "--editable" not in runs


def test_the_shipped_stage() -> None:
    """It has the environment, nothing of the build, no rights, and knows that it is a container."""
    stage = final_stage()
    assert stage[0] == ("FROM", "python:${PYTHON}-slim")
    assert [rest for word, rest in stage if word == "COPY"] == ["--from=build /opt/parley /opt/parley"]
    assert [rest for word, rest in stage if word == "USER"] == ["parley"]
    words = [word for word, _ in stage]
    assert words.index("USER") < words.index("ENTRYPOINT")
    environment = dict(pair.split("=", 1) for word, rest in stage if word == "ENV" for pair in rest.split())
    assert environment["PARLEY_CONTAINER"] == "1"
    assert environment["PARLEY_DATA_DIR"] == "/data"
    assert environment["PATH"].startswith("/opt/parley/bin:")


def test_how_the_image_is_run() -> None:
    """`docker run IMAGE` starts Parley, `docker run IMAGE doctor` another command; health is asked of Parley itself."""
    stage = dict(final_stage())
    assert stage["ENTRYPOINT"] == '["parley"]'
    assert stage["CMD"] == '["run"]'
    assert stage["HEALTHCHECK"].endswith('CMD ["parley", "health"]')
    assert stage["STOPSIGNAL"] == "SIGTERM"


def test_what_the_build_may_read() -> None:
    """Secrets and the checkout's own environment never reach the build: only what the Dockerfile copies is let in."""
    first, *rest = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    let_in = {line.removeprefix("!") for line in rest if line.startswith("!")}
    copied = {
        source
        for word, line in instructions()
        if word == "COPY" and not line.startswith("--from")
        for source in line.split()[:-1]
    }
    assert first == "*"
    assert let_in == copied
    assert all((ROOT / name).exists() for name in copied)


def test_the_store_of_the_compose_file() -> None:
    """Valkey writes through to a named volume at every change, evicts nothing, and is up before the bot is."""
    compose = load("compose.yaml")
    store = compose["services"]["valkey"]
    options = re.findall(r"--(\S+) (\S+)", store["command"])
    assert {("appendonly", "yes"), ("appendfsync", "always"), ("maxmemory-policy", "noeviction")} <= set(options)
    assert store["healthcheck"]["test"] == ["CMD", "valkey-cli", "ping"]
    assert "ports" not in store
    (volume,) = store["volumes"]
    assert volume.split(":")[0] in compose["volumes"]
    assert compose["services"]["bot"]["depends_on"] == {"valkey": {"condition": "service_healthy"}}


def test_the_bot_of_the_compose_file() -> None:
    """It works without .env, finds the store and a model on its host, and keeps /data."""
    compose = load("compose.yaml")
    bot = compose["services"]["bot"]
    assert bot["env_file"] == [{"path": ".env", "required": False}]
    assert bot["environment"] == {"REDIS_URL": "redis://valkey:6379/0"}
    assert bot["extra_hosts"] == ["host.docker.internal:host-gateway"]
    assert "bot:/data" in bot["volumes"]
    assert "bot" in compose["volumes"]
    assert not {"command", "entrypoint", "ports", "container_name"} & bot.keys()


def test_compose_restarts_and_waits() -> None:
    """Both services come back after a crash and a reboot; the bot has longer to stop than its turns have to drain."""
    services = load("compose.yaml")["services"]
    assert {service["restart"] for service in services.values()} == {"unless-stopped"}
    grace_s = Settings.model_fields["grace_s"].default
    assert float(services["bot"]["stop_grace_period"].removesuffix("s")) > grace_s + 10


def steps(job: str) -> list[dict[str, Any]]:
    """The steps of a job of the workflow."""
    found: list[dict[str, Any]] = load(".github/workflows/ci.yml")["jobs"][job]["steps"]
    return found


def test_the_workflow_tests_both_ends() -> None:
    """The oldest Python that we support and a newest one run what a submission must pass, with rights to read only."""
    workflow = load(".github/workflows/ci.yml")
    assert workflow["jobs"]["check"]["strategy"]["matrix"]["python"] == ["3.11", "3.14"]
    assert [step["run"] for step in steps("check") if "run" in step] == [".ci/run"]
    assert workflow["permissions"] == {"contents": "read"}


def test_the_workflow_builds_both_processors() -> None:
    """The image is built for amd64 and arm64 without being pushed, started, and shown to hold our own packages."""
    builds = [step["with"] for step in steps("image") if "build-push" in step.get("uses", "")]
    assert builds[-1]["platforms"] == "linux/amd64,linux/arm64"
    assert not any(build.get("push", False) for build in builds)
    commands = "\n".join(step["run"] for step in steps("image") if "run" in step)
    assert '"/opt/parley/" in package.__file__' in commands
    assert "docker compose run --rm bot doctor" in commands


@pytest.mark.parametrize("tool", ["uv tool install .", "pipx install ."])
def test_the_workflow_installs_as_people_do(tool: str) -> None:
    """Both tools install Parley from the checkout and run its command."""
    (command,) = [step["run"] for step in steps("tools") if tool in step.get("run", "")]
    assert "--help" in command.partition(tool)[2]


def test_ci_runs_everything(tmp_path: Path) -> None:
    """.ci/run runs checks, then tests, from any folder, the tests' closing line last, and fails where either does."""
    checkout = tmp_path / "my check out"
    (checkout / ".ci").mkdir(parents=True)
    (checkout / ".ci" / "run").write_text((ROOT / ".ci" / "run").read_text())
    (checkout / "Makefile").write_text("check:\n\t@echo checked; false\ntest:\n\t@cat; echo CI=$$CI; echo 3 passed\n")
    done = subprocess.run(
        ["bash", str(checkout / ".ci" / "run")], cwd=tmp_path, input="never read", capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["checked", "CI=true", "3 passed"]
    assert done.returncode != 0
