"""What an answer is made of on Slack: Markdown, its plain shape where that is refused, and its controls (pure)."""

from collections.abc import Sequence

from adapters.slack.markup import escaped
from bot.ports import Button

Json = dict[str, object]
FALLBACK = 900
"""Characters of plain text that go along for notifications; chat.update refuses about 4,000 bytes of it."""
SECTION = 3_000
_BUTTONS = 2
_RATINGS = ("up", "down")
_LABEL = 75


def is_growing(buttons: Sequence[Button]) -> bool:
    """Whether more text follows: what can be stopped is not whole yet."""
    return any(button.action == "stop" for button in buttons)


def whole(text: str, buttons: Sequence[Button]) -> Json:
    """The fields that show Markdown and its controls."""
    return {"text": escaped(text[:FALLBACK]), "blocks": [{"type": "markdown", "text": text}, *controls(buttons)]}


def bare(text: str) -> Json:
    """The same text where Slack refuses it as Markdown: as it was written, and without controls."""
    pieces = [text[at : at + SECTION] for at in range(0, len(text), SECTION)]
    sections = [{"type": "section", "text": {"type": "plain_text", "text": piece}} for piece in pieces]
    return {"text": escaped(text[:FALLBACK]), "blocks": sections}


def controls(buttons: Sequence[Button]) -> list[Json]:
    """Thumbs, then the first buttons, then a menu of the others.

    A button's id is `parley:<action>` and its value the turn; of the thumbs (`parley:rate`) and the menu
    (`parley:more`) each value is `<action>:<turn>`.
    """
    rated: dict[str, Button] = {button.action: button for button in buttons if button.action in _RATINGS}
    plain = [button for button in buttons if button.action not in rated or len(rated) < len(_RATINGS)]
    shown, more = plain[:_BUTTONS], plain[_BUTTONS:]
    row: list[Json] = [
        {"type": "button", "action_id": f"parley:{one.action}", "text": _label(one), "value": one.turn} for one in shown
    ]
    if more:
        options = [{"text": _label(one), "value": f"{one.action}:{one.turn}"} for one in more]
        row.append({"type": "overflow", "action_id": "parley:more", "options": options[:5]})
    blocks: list[Json] = []
    if len(rated) == len(_RATINGS):
        thumbs = {
            f"{sign}_button": {"text": _label(rated[action]), "value": f"{action}:{rated[action].turn}"}
            for sign, action in (("positive", "up"), ("negative", "down"))
        }
        element = {"type": "feedback_buttons", "action_id": "parley:rate", **thumbs}
        blocks.append({"type": "context_actions", "elements": [element]})
    return [*blocks, {"type": "actions", "elements": row}] if row else blocks


def _label(button: Button) -> Json:
    return {"type": "plain_text", "text": button.label[:_LABEL]}
