"""The texts of texts.toml, by name."""

import tomllib
from pathlib import Path
from typing import Any

TEXTS: dict[str, Any] = tomllib.loads((Path(__file__).parent / "texts.toml").read_text("utf-8"))
FATAL: dict[int, str] = {int(code): text for code, text in TEXTS["fatal"].items()}
ACTIONS: dict[str, tuple[str, str]] = TEXTS["actions"]
"""How the menu calls an action, and what is said when it is taken."""
MENU: list[dict[str, object]] = TEXTS["menu"]
ASK_ABOUT, SUMMARISE = (str(entry["name"]) for entry in MENU)
