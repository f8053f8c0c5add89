"""Text between Discord and the model (pure). Discord renders the model's Markdown: only people's text changes."""

import re
from collections.abc import Mapping


def readable(text: str, bot: int, names: Mapping[int, str]) -> str:
    """What a person wrote as the model reads it: people by name, the bot's own mention left out where it leads."""
    text = re.sub(rf"\A\s*<@!?{bot}>\s*", "", text)
    return re.sub(r"<@!?(\d+)>", lambda found: f"@{names.get(int(found[1]), found[1])}", text)
