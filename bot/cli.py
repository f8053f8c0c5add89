"""The command `parley`. It loads only what the command that was asked for needs."""

import argparse
import asyncio
import sys
import time
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING

from bot import __version__
from bot.errors import BotError, SettingsInvalid

if TYPE_CHECKING:
    from bot.settings import Settings

DESCRIPTION = "A team's assistant in Discord and Slack that answers every message exactly once."
COMMANDS = {
    "run": "start what is configured: Discord, Slack or, without either, the console",
    "chat": "talk in this terminal (or line by line from a pipe)",
    "ask": "one question, answered on standard output",
    "init": "answer a few questions and write .env",
    "doctor": "check settings, store and model, and say how to mend what is wrong",
    "dead": "list the questions that were given up, or put them back",
    "health": "exit status 0 while a running Parley of this host works (for containers)",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parsed = _parser(arguments[:1]).parse_args(arguments)
    try:
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_command(parsed))
    except BotError as error:
        problems = error.problems if isinstance(error, SettingsInvalid) else [f"{error.notice} ({error})"]
        _tell("\n".join(problems).removesuffix(" ()"))
    except KeyboardInterrupt:
        return 130
    return 1


def _parser(command: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="parley", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"parley {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parsers = {name: commands.add_parser(name, help=text) for name, text in COMMANDS.items()}
    parsers["ask"].add_argument("question", help="the question; - reads it from standard input")
    parsers["dead"].add_argument("--requeue", metavar="TURN", help="put this turn's questions back; 'all': every one")
    if command == ["init"]:  # its flags come from its module, which --help alone should not have to load
        from bot.init import add_arguments

        add_arguments(parsers["init"])
    return parser


def _command(parsed: argparse.Namespace) -> Coroutine[None, None, int]:
    from bot import app

    if parsed.command in ("init", "doctor"):
        from bot import doctor, init

        return (init if parsed.command == "init" else doctor).run(parsed, app.providers)
    settings = _settings(is_quiet=parsed.command != "run")
    match parsed.command:
        case "run":
            return app.run(settings, _tell)
        case "chat":
            return app.chat(settings, _tell)
        case "ask":
            question = sys.stdin.buffer.read().decode("utf-8", "replace") if parsed.question == "-" else parsed.question
            return app.ask(settings, _tell, question)
        case "dead":
            return _dead(settings, parsed.requeue)
        case _:
            return _health(settings)


async def _dead(settings: "Settings", requeue: str | None) -> int:
    from bot.app import opened

    async with opened(settings) as (inbox, _):
        letters = await inbox.dead()
        if requeue is None:
            for letter in letters:
                when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(letter.at))
                print(f"{letter.turn}  {when}  {letter.lane}  {letter.questions} questions  {letter.reason}")
            _tell(f"{len(letters)} dead letters" + ("; parley dead --requeue TURN puts one back" if letters else ""))
            return 0
        chosen = [letter for letter in letters if requeue in ("all", letter.turn)]
        count = sum([await inbox.requeue(letter) for letter in chosen])
    _tell(f"{count} questions are in their lanes again")
    return 0 if chosen or requeue == "all" else 1


async def _health(settings: "Settings") -> int:
    from bot.app import is_alive

    return 0 if await is_alive(settings) else 1


def _settings(*, is_quiet: bool) -> "Settings":
    from bot.logs import set_up
    from bot.settings import Settings

    settings = Settings.load()
    # In a terminal that people talk in, only what they must know stands between the answers.
    is_quiet = is_quiet or not settings.platforms
    is_chosen = "log_level" in settings.model_fields_set
    set_up("WARNING" if is_quiet and not is_chosen else settings.log_level, settings.log_format)
    return settings


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
