"""`parley init`: asks for what a start needs, or takes it from flags; writes `.env`; then does as doctor does."""

import argparse
import difflib
import re
import sys
import tomllib
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from prompt_toolkit import PromptSession

from bot import doctor
from bot.errors import SettingsInvalid
from bot.settings import Settings

_DATA = tomllib.loads((Path(__file__).parent / "data" / "init.toml").read_text("utf-8"))
QUESTIONS: dict[str, tuple[str, str]] = _DATA["questions"]
PRESETS: dict[str, tuple[str, str, list[str]]] = _DATA["presets"]
_SECRET = re.compile(r"^(.*(?:TOKEN|KEY|SECRET|REDIS_URL)\w*=)(.*?)(\w{0,4}\W?)$", re.MULTILINE)
Session = PromptSession[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `parley init`; without a terminal, or with `--yes`, nothing is asked."""
    parser.add_argument("--preset", choices=PRESETS, help="where the model is")
    for variable, (flag, question) in QUESTIONS.items():
        parser.add_argument(flag, dest=variable, metavar="TEXT", help=question)
    parser.add_argument("--key-stdin", action="store_true", help="read the key from standard input")
    parser.add_argument("--yes", action="store_true", help="ask nothing, and change what is there")


async def run(args: argparse.Namespace, providers: doctor.Providers, platforms: doctor.Platforms) -> int:
    """Write `.env` in the working directory, then examine it; 0 where Parley can start with it."""
    session = Session() if sys.stdin.isatty() and not args.yes else None
    try:
        old = _dotenv()
        new = merged(old, await _answers(args, session, parsed(old)))
        Settings.load(env=parsed(new), env_file=None)
        if old and new != old:
            print(difference(old, new))
            answer = await session.prompt_async("Change .env so? [y/N] ") if session else "y" if args.yes else ""
            if not answer.lower().startswith("y"):
                raise SettingsInvalid(["Nothing was written; --yes writes without a question."])
        _dotenv(new)
    except (SettingsInvalid, EOFError, OSError, UnicodeError) as error:  # EOFError is Ctrl-D
        print(str(error) or "Nothing was written.", file=sys.stderr)
        return 1
    return await doctor.run(args, providers, platforms)


async def _answers(args: argparse.Namespace, session: Session | None, had: dict[str, str]) -> dict[str, str]:
    """What to write, by variable; an empty value takes back what is there."""
    given: dict[str, str] = {variable: said for variable in QUESTIONS if (said := getattr(args, variable)) is not None}
    if args.key_stdin:
        given["OPENAI_API_KEY"] = sys.stdin.readline().strip()
    name = args.preset or (await session.prompt_async(f"Model at ({', '.join(PRESETS)}): ") if session else "")
    url, model, wanted = PRESETS.get(name, ("", "", []))
    values = ({"OPENAI_BASE_URL": url, "PARLEY_MODEL": model} if name in PRESETS else {}) | given
    for variable in QUESTIONS:
        if not session or variable in given:
            continue
        is_secret = _SECRET.match(f"{variable}=") is not None  # its empty answer leaves what is there
        known = "" if is_secret else values.get(variable, had.get(variable, ""))
        said = await session.prompt_async(f"{QUESTIONS[variable][1]}: ", default=known, is_password=is_secret)
        values |= {variable: said} if said or not is_secret else {}
    if had.get("OPENAI_BASE_URL", "") != (had | values).get("OPENAI_BASE_URL", ""):
        values.setdefault("OPENAI_API_KEY", "")  # a key never goes to another server
    if missing := [variable for variable in wanted if not (had | values).get(variable)]:
        raise SettingsInvalid([f"{name} wants {', '.join(QUESTIONS[variable][0] for variable in missing)}"])
    return {variable: values[variable] for variable in QUESTIONS if variable in values}


def merged(old: str, values: Mapping[str, str]) -> str:
    """The text of `.env` with these values; every other line stays as it is."""
    text = "".join(f"{line}\n" for line in old.splitlines())
    for name, value in values.items():
        line = rf"(?m)^[ \t]*(export\s+)?{name}[ \t]*=.*$"
        text, found = re.subn(line, f"{name}={value}".replace("\\", r"\\"), text)
        if value and not found:
            text += f"{name}={value}\n"
    return text


def difference(old: str, new: str) -> str:
    """The changes as a unified diff, which shows of a secret at most its last four characters."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), ".env", ".env (new)", lineterm="", n=1)
    return _SECRET.sub(lambda found: f"{found[1]}***{found[3] if len(found[2]) > 8 else ''}", "\n".join(lines))


def parsed(text: str) -> dict[str, str]:
    """What the text of a `.env` sets."""
    return {name: value or "" for name, value in dotenv_values(stream=StringIO(text), interpolate=False).items()}


def _dotenv(new: str | None = None) -> str:
    """The text of `.env`, after a new one is written, which only this user may read."""
    path = Path(".env")
    if new is not None:
        path.touch(0o600)
        path.chmod(0o600)
        path.write_text(new, "utf-8")
    return path.read_text("utf-8") if path.exists() else ""
