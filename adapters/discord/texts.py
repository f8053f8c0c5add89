"""The texts of texts.toml, by name."""

import tomllib
from pathlib import Path
from typing import Any

TEXTS: dict[str, Any] = tomllib.loads((Path(__file__).parent / "texts.toml").read_text("utf-8"))
FATAL: dict[int, str] = {int(code): text for code, text in TEXTS["fatal"].items()}
ACTIONS: dict[str, tuple[str, str]] = TEXTS["actions"]
"""How the menu calls an action, and what is said when it is taken."""
COMMANDS: list[dict[str, object]] = TEXTS["commands"]
ASK_ABOUT, SUMMARISE = (str(command["name"]) for command in COMMANDS[1:])
