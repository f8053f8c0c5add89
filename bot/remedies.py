"""Turns what other programs say when they fail into a sentence and a remedy: the catalogue bot/data/remedies.toml."""

import re
import tomllib
from pathlib import Path


def explain(area: str, said: str, folder: Path = Path()) -> tuple[str, str]:
    """What it means, and what helps. `area` is a table of the catalogue; each ends with an entry that fits all else."""
    catalogue = tomllib.loads((Path(__file__).parent / "data" / "remedies.toml").read_text("utf-8"))
    means, helps = next(found for word, found in catalogue[area].items() if re.search(word, said, re.IGNORECASE))
    last = ([line for line in said.splitlines() if line.strip()] or ["it gave no reason"])[-1]
    return means.format(said=last, folder=folder), helps.format(folder=folder)
