"""What the evaluation says and asks: its catalogue, bot/evaluation/texts.toml."""

import tomllib
from functools import cache
from importlib import resources


@cache
def texts(table: str) -> dict[str, str]:
    """One table of the catalogue."""
    tables: dict[str, dict[str, str]] = tomllib.loads((resources.files(__package__) / "texts.toml").read_text("utf-8"))
    return tables[table]
