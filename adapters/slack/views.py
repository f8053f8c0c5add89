"""What Parley shows besides answers: the App Home and two modals, whose blocks are data (views.json)."""

import json
from collections.abc import Sequence
from pathlib import Path

from adapters.slack.markup import escaped
from bot.commands import OptionSpec

Block = dict[str, object]
FIELD = "said"
"""The one text field of a modal; errors are shown under it."""


def home(facts: Sequence[str]) -> Block:
    """The App Home: what Parley is, what holds here (one line each), and that it can be wrong."""
    view = _view("home")
    shown = {"type": "mrkdwn", "text": "\n".join(f"• {escaped(fact)}" for fact in facts)}
    view["blocks"][1:1] = [{"type": "section", "text": shown}] if facts else []  # type: ignore[index]  # it is a list
    return view


def modal(name: str, carried: str) -> Block:
    """A modal by its callback: `ask_about`, or `correct` after a thumb down. It brings back what it carries."""
    return _view(name) | {"private_metadata": carried}


def form(name: str, options: Sequence[OptionSpec], carried: str) -> Block:
    """The dialog of a command for its long options; a block has its option's name."""
    view = _view("form") | {"private_metadata": carried}
    view["blocks"] = [
        {
            "type": "input",
            "block_id": option.name,
            "optional": not option.is_required,
            "label": {"type": "plain_text", "text": option.help},
            "element": {
                "type": "plain_text_input",
                "action_id": FIELD,
                "multiline": True,
                "max_length": min(3000, option.most),
            },
        }
        for option in options
    ]
    view["title"] = {"type": "plain_text", "text": f"/parley {name}"[:24]}
    return view


def public_question(name: str, text: str) -> str:
    """The message that shows to the channel what somebody asked with `/ask`: nothing in it is a mention."""
    lines = escaped(text).splitlines() or [""]
    return "\n".join([f"*{escaped(name)}* asks:", *(f"> {line}" for line in lines)])[:3_000]


def _view(name: str) -> Block:
    views: dict[str, Block] = json.loads((Path(__file__).parent / "views.json").read_text("utf-8"))
    return views[name]
