"""Text between Discord and the model (pure). Discord renders the model's Markdown: only people's text changes."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_CUSTOM_ID = re.compile(r"parley:([a-z]+):([^:,]+)(?::([^:]*))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What a button or dialog of ours says: an action upon the answer of `turn`; `words` are what else it carries.

    `more` opens the menu of the actions that its words name. The word `private` stands in what belongs to an answer
    that its asker alone sees.
    """

    action: str
    turn: str
    words: tuple[str, ...] = ()


def custom_id(action: str, turn: str, words: Iterable[str] = ()) -> str:
    """`parley:<action>:<turn>`, with `:<word>,<word>` behind it where there are words; Discord takes 100 characters."""
    return ":".join(("parley", action, turn, *filter(None, [",".join(words)])))


def control_of(text: str) -> Control | None:
    """What a custom id says, or None where it is not one of ours."""
    found = _CUSTOM_ID.fullmatch(text)
    if found is None:
        return None
    return Control(action=found[1], turn=found[2], words=tuple(filter(None, (found[3] or "").split(","))))


def readable(text: str, bot: int, names: Mapping[int, str]) -> str:
    """What a person wrote as the model reads it: people and emoji by name, the bot's leading mention left out."""
    text = re.sub(r"<a?(:\w+:)\d+>", r"\1", re.sub(rf"\A\s*<@!?{bot}>\s*", "", text))
    return re.sub(r"<@!?(\d+)>", lambda found: f"@{names.get(int(found[1]), found[1])}", text)


def named_first(text: str) -> int | None:
    """Whom a message begins by naming."""
    found = re.match(r"\s*<@!?(\d+)>", text)
    return int(found[1]) if found else None
