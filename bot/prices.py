"""What tokens cost, by a dated list (bot/data/prices.toml). What is not in it has no price, and none is guessed."""

import tomllib
from functools import cache
from importlib import resources

from bot.ports import Usage


def as_of() -> str:
    """The date of the list."""
    return _prices()[0]


def cost_usd(model: str, usage: Usage) -> float | None:
    """US dollars for an answer of `provider/model`; None where its price is not known or no tokens were told."""
    price = _prices()[1].get(model)
    if price is None or not usage.input_tokens:
        return None
    fresh = usage.input_tokens - usage.cached_tokens
    micro = fresh * price["input"] + usage.cached_tokens * price["cached"] + usage.output_tokens * price["output"]
    return micro / 1_000_000


@cache
def _prices() -> tuple[str, dict[str, dict[str, float]]]:
    data = tomllib.loads(resources.files("bot").joinpath("data/prices.toml").read_text("utf-8"))
    return str(data["as_of"]), data["prices"]
