"""The texts of texts.toml, by name."""

import tomllib
from pathlib import Path
from typing import Any

_ALL: dict[str, Any] = tomllib.loads((Path(__file__).parent / "texts.toml").read_text("utf-8"))
NO_CONTENT, UNKNOWN, FORGOTTEN, UNREADABLE = (
    str(_ALL[name]) for name in ("no_content", "unknown", "forgotten", "unreadable")
)
FATAL = {int(code): str(text) for code, text in _ALL["fatal"].items()}
ACTIONS: dict[str, tuple[str, str]] = _ALL["actions"]
"""How the menu calls an action, and what is said when it is taken."""
MENU: list[dict[str, object]] = _ALL["menu"]
ASK_ABOUT, SUMMARISE = (str(entry["name"]) for entry in MENU)
