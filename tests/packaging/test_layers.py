"""The layers themselves: each contract of pyproject.toml names the import that breaks it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.test_size import tree

ROOT = Path(__file__).parents[2]

HOUSE = {
    "bot/__init__.py": "",
    "bot/events.py": "from dataclasses import dataclass\n",
    "bot/errors.py": "",
    "bot/ports.py": "from bot.events import dataclass\n",
    "bot/commands.py": "from bot import errors\n",
    "bot/pacing.py": "",
    "bot/prompt.py": "from bot.ports import dataclass\n",
    "bot/inbox.py": "import redis\nfrom bot import events\n",
    "bot/app.py": "import handlers\nfrom adapters.discord import client\nfrom bot import inbox\n",
    "bot/cli.py": "from bot import app\n",
    "bot/evaluation/__init__.py": "",
    "bot/evaluation/run.py": "from bot import errors\nfrom bot.evaluation import checks\nimport bot.ports\n",
    **{f"bot/evaluation/{name}.py": "import re\n" for name in ("checks", "compare", "suite")},
    "adapters/__init__.py": "",
    "adapters/parts.py": "from bot.ports import dataclass\n",
    "adapters/console/__init__.py": "from adapters import parts\n",
    "adapters/discord/__init__.py": "",
    "adapters/discord/client.py": "import discord\nimport adapters.parts\nfrom adapters.discord import translate\n",
    "adapters/discord/translate.py": "from bot.events import dataclass\n",
    "adapters/slack/__init__.py": "",
    "handlers/__init__.py": "from bot import inbox\n",
}


def broken(root: Path, files: dict[str, str]) -> list[str]:
    """The names of the contracts that a house with these files breaks."""
    tree(root, files | {"pyproject.toml": (ROOT / "pyproject.toml").read_text()})
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    done = subprocess.run([*command, "--no-cache", "--no-logo"], cwd=root, capture_output=True, text=True, timeout=60)
    assert "Contracts:" in done.stdout, done.stdout + done.stderr
    verdicts = " ".join(done.stdout.partition("Contracts:")[0].split())
    return [name for name in NAMES if f"{name} BROKEN" in verdicts]


NAMES = (
    "Events and errors import nothing of ours",
    "Ports, commands and pacing know only events, errors and one another",
    "Only bot.app wires: nobody else imports adapters or handlers",
    "Only the command line imports bot.app",
    "The evaluation knows ports, errors and prices, and nothing else of ours",
    "Only the root and the command line import the evaluation",
    "Adapters know bot.events, bot.ports, bot.commands, bot.pacing, bot.errors and nothing else of bot",
    "Adapters are independent of one another",
    "Adapters and handlers know neither the store nor the model",
    "The pipeline and the handlers know no platform",
    "Pure modules: data and time in, data out",
    "No import goes in a circle",
)


def test_the_house_as_drawn(tmp_path: Path) -> None:
    """The imports that the design draws keep every contract."""
    assert broken(tmp_path, HOUSE) == []


@pytest.mark.parametrize(
    ("contract", "name", "statement"),
    [
        (0, "bot/events.py", "from bot import errors"),
        (1, "bot/pacing.py", "from bot import inbox"),
        (2, "bot/inbox.py", "import handlers"),
        (2, "handlers/__init__.py", "import adapters.parts"),
        (3, "bot/inbox.py", "from bot import app"),
        (4, "bot/evaluation/run.py", "from bot import inbox"),
        (4, "bot/evaluation/run.py", "import adapters.parts"),
        (5, "bot/inbox.py", "from bot.evaluation import run"),
        (6, "adapters/slack/__init__.py", "from bot import inbox"),
        (6, "adapters/parts.py", "import handlers"),
        (7, "adapters/slack/__init__.py", "from adapters.discord import client"),
        (8, "adapters/slack/__init__.py", "def late():\n    import redis.asyncio"),
        (8, "handlers/__init__.py", "import openai"),
        (9, "bot/app.py", "import slack_sdk"),
        (9, "handlers/__init__.py", "from discord import Client"),
        (10, "bot/prompt.py", "import time"),
        (10, "bot/evaluation/checks.py", "from random import random"),
        (10, "adapters/discord/translate.py", "from asyncio import sleep"),
        (11, "bot/errors.py", "from bot import commands"),
    ],
)
def test_each_contract_bites(contract: int, name: str, statement: str, tmp_path: Path) -> None:
    """One forbidden import, even inside a function, breaks the contract that forbids it."""
    assert NAMES[contract] in broken(tmp_path, HOUSE | {name: f"{HOUSE[name]}{statement}\n"})
