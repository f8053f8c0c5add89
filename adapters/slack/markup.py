"""Text between Slack and the model (pure): what people type is unescaped, what the model writes cannot ring a bell."""

import re
from html import unescape


def readable(text: str, bot: str) -> str:
    """What a person wrote as the model reads it: unescaped, the bot's own mention left out where it leads."""
    text = re.sub(rf"\A\s*<@{bot}(\|[^>]*)?>\s*", "", text)
    return unescape(re.sub(r"<(?:(#)|[@!])(?:[^>|]*\|)?@?([^>]*)>", lambda found: f"{found[1] or '@'}{found[2]}", text))


def harmless(text: str) -> str:
    """The model's Markdown with its mentions of everybody, of groups and of people broken by a zero-width space."""
    return re.sub(r"<(?=!channel|!here|!everyone|!subteam|@[UW])", "<\u200b", text)


def shown(text: str) -> dict[str, object]:
    """The fields that show Markdown; its beginning goes along as plain text, for notifications.

    chat.update refuses about 4,000 bytes of plain text.
    """
    plain = text[:900].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": plain, "blocks": [{"type": "markdown", "text": text}]}
