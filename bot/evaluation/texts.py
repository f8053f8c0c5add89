"""What the evaluation says and asks: its catalogue, bot/evaluation/texts.toml."""

import tomllib
from functools import cache
from importlib import resources


@cache
def texts(table: str) -> dict[str, str]:
    """One table of the catalogue."""
    source = resources.files("bot.evaluation").joinpath("texts.toml").read_text("utf-8")
    found: dict[str, str] = tomllib.loads(source)[table]
    return found
