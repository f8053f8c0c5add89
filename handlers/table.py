"""The table of commands: each is one row, and one function of `commands`. Every platform is served from it."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.channels import NAMES, Channels
from bot.commands import CommandSpec, OptionSpec, usage
from bot.errors import texts
from bot.events import Conversation
from bot.settings import Settings
from handlers.commands import (
    Call,
    Run,
    act,
    allowed_models,
    change_model,
    change_persona,
    change_settings,
    export,
    forget,
    give_feedback,
    opt_out,
    show_history,
    show_usage,
    show_why,
    start_afresh,
    tell_hearing,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A row: how it is declared, and what it does (None: `turns` knows, because it asks the model)."""

    spec: CommandSpec
    run: Run | None


async def show_help(call: Call) -> str:
    """The table itself."""
    lines = [f"- `{usage(spec)}`: {spec.help}" for spec in SPECS]
    return "\n".join([texts()["help"], *lines])


_SCOPE = OptionSpec(name="scope", help="where it holds", choices=("channel", "thread", "workspace"))
_EXTENT = OptionSpec(name="scope", help="here, or in all of the workspace", choices=("here", "everywhere"))
_QUESTION = OptionSpec(name="question", help="what you want to know", is_required=True, is_long=True, most=8000)


def _row(
    name: str,
    help: str,
    run: Run | None,
    *options: OptionSpec,
    is_private: bool = True,
    dialog: tuple[str, ...] = (),
) -> Command:
    spec = CommandSpec(name=name, help=help, options=options, is_private=is_private, dialog=dialog)
    return Command(spec=spec, run=run)


_ROWS = (
    _row(
        "ask",
        "ask me something",
        None,
        _QUESTION,
        OptionSpec(name="attachment", help="a file that it is about", type="file"),
        OptionSpec(name="private", help="only you see the answer", type="switch"),
        is_private=False,
    ),
    _row("help", "what I can do", show_help),
    _row("new", "start afresh; the old conversation can still be found", start_afresh),
    _row("stop", "stop the answer that I am writing for you", act),
    _row("retry", "answer your last question once more", act),
    _row("continue", "go on with my last answer to you", act),
    _row(
        "summarise",
        "summarise this channel or thread",
        None,
        OptionSpec(name="from", help="last (since you were here), thread, 2h, 3d, or a message's link", most=200),
        OptionSpec(name="public", help="let everybody here see it", type="switch"),
    ),
    _row(
        "history",
        "what I remember of this conversation",
        show_history,
        OptionSpec(name="count", help="how many messages", type="number"),
    ),
    _row(
        "settings",
        "see or change how I behave here",
        change_settings,
        OptionSpec(name="name", help="which setting", choices=NAMES),
        OptionSpec(name="value", help="its new value; default takes it back"),
        _SCOPE,
    ),
    _row(
        "persona",
        "who I am here",
        change_persona,
        OptionSpec(name="do", help="what to do", choices=("list", "use", "create", "edit", "delete")),
        OptionSpec(name="name", help="the persona", completes=True, most=40),
        OptionSpec(name="model", help="its model", completes=True),
        OptionSpec(name="temperature", help="0 to 2", type="number"),
        _SCOPE,
        OptionSpec(name="prompt", help="who it is and how it speaks", is_long=True, most=4000),
        dialog=("create", "edit"),
    ),
    _row(
        "model",
        "see or choose the model",
        change_model,
        OptionSpec(name="name", help="the model; default takes it back", completes=True),
        _SCOPE,
    ),
    _row("usage", "what was used today", show_usage),
    _row("why", "what went into my last answer to you", show_why),
    _row(
        "forget",
        "erase what you said to me",
        forget,
        _EXTENT,
        OptionSpec(name="sure", help="yes, erase it", type="switch"),
    ),
    _row("export", "all that I keep of you", export, _EXTENT),
    _row(
        "optout",
        "whether I may keep what you say to others as context",
        opt_out,
        OptionSpec(name="heard", help="on: I may keep it", type="switch"),
    ),
    _row(
        "feedback",
        "rate my last answer to you",
        give_feedback,
        OptionSpec(name="rating", help="how it was", is_required=True, choices=("good", "bad")),
        OptionSpec(name="better", help="the answer you would have liked", is_long=True, most=4000),
        dialog=("bad",),
    ),
)
_OWN = _row("hearing", "tells a channel that its talk is heard; Parley itself uses it", tell_hearing)
TABLE: Mapping[str, Command] = {row.spec.name: row for row in (*_ROWS, _OWN)}
SPECS: tuple[CommandSpec, ...] = tuple(row.spec for row in _ROWS)


async def suggested(
    settings: Settings, channels: Channels, place: Conversation, command: str, option: str, typed: str
) -> list[str]:
    """Up to 25 values for an option that is completed as one types."""
    if option == "model" or command == "model":
        values = ["default", *allowed_models(settings)]
    elif command == "persona":
        values = ["default", *await channels.personas(place)]
    else:
        values = []
    return [value for value in values if typed.lower() in value.lower()][:25]
