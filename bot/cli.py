"""The command `parley`. It loads only what the command that was asked for needs."""

import argparse
import asyncio
import logging
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bot import __version__
from bot.errors import BotError, SettingsInvalid

if TYPE_CHECKING:
    from bot.inbox import Inbox


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parsed = _parser(arguments[:1]).parse_args(arguments)
    import uvloop

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(parsed))
    except SettingsInvalid as error:
        _tell(str(error))
    except BotError as error:
        _tell(f"{error.notice} ({error})" if str(error) else error.notice)
    except KeyboardInterrupt:
        return 130
    # To a CI, 1 says that an evaluation's cases failed; one that could not run is something else.
    return 2 if parsed.command == "eval" else 1


def _parser(command: Sequence[str]) -> argparse.ArgumentParser:
    texts: dict[str, str] = tomllib.loads((Path(__file__).parent / "data" / "commands.toml").read_text("utf-8"))
    parser = argparse.ArgumentParser(prog="parley", description=texts.pop("parley"))
    parser.add_argument("--version", action="version", version=f"parley {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parsers = {name: commands.add_parser(name, help=text) for name, text in texts.items()}
    parsers["ask"].add_argument("question", type=_question, help="the question; - reads it from standard input")
    parsers["doctor"].add_argument("--channel", action="append", help="what may be done there: discord:200")
    parsers["manifest"].add_argument("platform", choices=["slack"], help="whose app")
    parsers["manifest"].add_argument("--minimal", action="store_true", help="mentions, direct messages and /ask alone")
    parsers["manifest"].add_argument(
        "--url", default="", help="public address, for requests over HTTP in place of sockets"
    )
    parsers["dead"].add_argument("--requeue", metavar="TURN", help="put this turn's questions back; 'all': every one")
    if command == ["init"]:  # its flags come from its module, which --help alone should not have to load
        from bot.init import add_arguments

        add_arguments(parsers["init"])
    if command == ["eval"]:
        from bot.evaluation.command import add_arguments

        add_arguments(parsers["eval"])
    return parser


def _question(text: str) -> str:
    return sys.stdin.buffer.read().decode("utf-8", "replace") if text == "-" else text


async def _run(parsed: argparse.Namespace) -> int:
    from bot import app
    from bot.settings import Settings

    if parsed.command in ("init", "doctor"):
        from bot import doctor, init

        _log_from("ERROR")  # what is wrong is in the findings
        run = init.run if parsed.command == "init" else doctor.run
        return await run(parsed, app.providers, app.examine)
    if parsed.command == "manifest":
        text, link = app.manifest(parsed.platform, is_minimal=parsed.minimal, url=parsed.url)
        print(text)
        _tell(f"Create the app with one click: {link}")
        return 0
    settings = Settings.load()
    # In a terminal that people talk in, only what they must know stands between the answers.
    is_quiet = parsed.command != "run" or not settings.platforms
    is_chosen = "log_level" in settings.model_fields_set
    _log_from("WARNING" if is_quiet and not is_chosen else settings.log_level)
    if parsed.command in ("run", "chat"):
        return await (app.run if parsed.command == "run" else app.chat)(settings, _tell)
    if parsed.command == "eval":
        return await app.evaluate(settings, _tell, parsed)
    if parsed.command == "ask":
        return await app.ask(settings, _tell, parsed.question)
    if parsed.command == "health":
        return 0 if await app.is_alive(settings) else 1
    async with app.opened(settings) as inbox:
        return await _dead(inbox, parsed.requeue)


def _log_from(level: str) -> None:
    """Log to standard error, in UTC. Libraries speak only from WARNING; message text and secrets never get there."""
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    for name in ("bot", "adapters", "handlers"):
        logging.getLogger(name).setLevel(level)


async def _dead(inbox: "Inbox", requeue: str | None) -> int:
    letters = await inbox.dead()
    if requeue is None:
        for letter in letters:
            when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(letter.at))
            print(f"{letter.turn}  {when}  {letter.lane}  {len(letter.items)} questions  {letter.reason}")
        _tell(f"{len(letters)} dead letters" + ("; parley dead --requeue TURN puts one back" if letters else ""))
        return 0
    chosen = [letter for letter in letters if requeue in ("all", letter.turn)]
    _tell(f"{sum([await inbox.requeue(letter) for letter in chosen])} questions are in their lanes again")
    return 0 if chosen or requeue == "all" else 1


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
