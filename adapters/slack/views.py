"""What Parley shows besides answers: the App Home and two modals, as Block Kit (pure)."""

from collections.abc import Sequence

from adapters.slack.markup import escaped

Block = dict[str, object]
ABOUT = "I answer questions here. Mention me in a channel, write to me in Messages, or type /ask."
DISCLAIMER = "I am an AI assistant, and I can be wrong. Please check what matters."
FIELD = "said"
"""The one text field of a modal; errors are shown under it."""


def home(facts: Sequence[str]) -> Block:
    """The App Home: what Parley is, what holds here (one line each), and that it can be wrong."""
    rows = [_text(f"*{escaped(ABOUT)}*")]
    rows += [_text("\n".join(f"• {escaped(fact)}" for fact in facts))] if facts else []
    context = {"type": "context", "elements": [{"type": "mrkdwn", "text": escaped(DISCLAIMER)}]}
    return {"type": "home", "blocks": [*rows, {"type": "divider"}, context]}


def question(carried: str) -> Block:
    """The modal of `Ask about this`."""
    return _modal("ask_about", "Ask about this", "Ask", _field("Your question", is_optional=False), carried)


def correction(carried: str) -> Block:
    """The modal after a thumb down: what would have been better, if they care to say."""
    field = _field("What would have been a better answer?", is_optional=True)
    return _modal("correct", "Thank you", "Send", field, carried)


def public_question(name: str, text: str) -> str:
    """The message that shows to the channel what somebody asked with `/ask`: nothing in it is a mention."""
    lines = escaped(text).splitlines() or [""]
    return "\n".join([f"*{escaped(name)}* asks:", *(f"> {line}" for line in lines)])[:3_000]


def _text(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _field(label: str, *, is_optional: bool) -> Block:
    element = {"type": "plain_text_input", "action_id": FIELD, "multiline": True, "max_length": 3_000}
    text = {"type": "plain_text", "text": label}
    return {"type": "input", "block_id": FIELD, "optional": is_optional, "label": text, "element": element}


def _modal(callback: str, title: str, submit: str, field: Block, carried: str) -> Block:
    labels = {name: {"type": "plain_text", "text": text} for name, text in (("title", title), ("submit", submit))}
    close = {"type": "plain_text", "text": "Cancel"}
    whole: Block = {"type": "modal", "callback_id": callback, "private_metadata": carried, "blocks": [field]}
    return whole | labels | {"close": close}
