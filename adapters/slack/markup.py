"""Text between Slack and the model (pure): what people type is unescaped, what the model writes cannot ring a bell."""

import re
from collections.abc import Mapping
from html import unescape
from types import MappingProxyType

from bot.pacing import seal

_TOKEN = re.compile(r"<([@#!])([^>|]+)(?:\|([^>]*))?>")
_MAIL = re.compile(r"<mailto:[^>|]*\|([^>]*)>")
_MASS = ("<!channel", "<!here", "<!everyone", "<!subteam")
_LOUD = re.compile("<(?=!channel|!here|!everyone|!subteam)", re.IGNORECASE)
_LOUD_OR_PERSON = re.compile("<(?=!channel|!here|!everyone|!subteam|@[UW])", re.IGNORECASE)
_BEGUN = re.compile(rf"(?:{'|'.join({loud[:n] for loud in (*_MASS, '<@U') for n in range(1, len(loud))})})\Z", re.I)
_CLOSER = re.compile(r"\n[ \t>]*(?:`{3,16}|~{3,16})[ \t]*\Z")


def readable(text: str, bot: str, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """What a person wrote as the model reads it: unescaped, people and channels by name (`names` is by id).

    The bot's own mention is left out where it leads. A name that is not known stays an id.
    """

    def named(found: re.Match[str]) -> str:
        kind, id, label = found[1], found[2], found[3] or ""
        if kind == "!":
            return label if id.startswith("date^") else label or f"@{id.partition('^')[0]}"
        return f"{kind}{escaped(names[id]) if id in names else (label or id).removeprefix(kind)}"

    text = re.sub(rf"\A\s*<@{bot}(\|[^>]*)?>\s*", "", text)
    return unescape(_MAIL.sub(r"\1", _TOKEN.sub(named, text)))


def ids_in(text: str) -> tuple[str, ...]:
    """The people and channels that a text names, each once."""
    return tuple(dict.fromkeys(found[2] for found in _TOKEN.finditer(text) if found[1] in "@#"))


def escaped(text: str) -> str:
    """Text as Slack wants it where markup counts: nothing in it is a mention or a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def harmless(text: str, *, people_ring: bool = False) -> str:
    """The model's Markdown with its mentions of everybody, of groups and of people broken by a zero-width space."""
    return (_LOUD if people_ring else _LOUD_OR_PERSON).sub("<\u200b", text)


def settled(text: str) -> str:
    """The part of a growing page that more text cannot change: what a stream may show for good.

    Held back are the beginning of a mention at its end, and the line that closes its last code block, which may be the
    splitter's own.
    """
    if (fence := _CLOSER.search(text)) and seal(text[: fence.start()]) == text:
        text = text[: fence.start()]
    return text[: begun.start()] if (begun := _BEGUN.search(text)) else text
