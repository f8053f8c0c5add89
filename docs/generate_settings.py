"""Writes docs/settings.md and .env.example from bot/settings.py; with --check it only tells whether they are stale."""

import ast
import sys
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args, get_origin

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bot import settings as source  # noqa: E402 - the checkout's, also where an older Parley is installed
from bot.settings import Settings, env_names, example  # noqa: E402

GROUPS = {  # the first field of each group
    "discord_token": "Platforms",
    "openai_api_key": "The model",
    "hear": "Conversations",
    "person_rate": "Who may ask, and how much",
    "redis_url": "The store",
    "lease_s": "The process",
}
INTRODUCTION = """# Settings

Written by `python docs/generate_settings.py` from `bot/settings.py`; change it there.

Parley reads, the first that has a value counting: the environment, the file `.env` in the working directory (where
`${NAME}` stands for another variable), and `/run/secrets` (a file named like the variable, in upper or lower case). In
place of `NAME` you may set `NAME_FILE` to the path of a file that holds the value. An empty value is the same as none.
A `PARLEY_` variable that is not listed here is an error, and so is a value that cannot be used: all errors are told at
once, when Parley starts.

On and off are written `true` and `false` (or `1` and `0`, `on` and `off`). Lists are separated by commas. Ids carry
their platform: `discord:300`, `slack:U1`. Proxies and certificates (`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`) are
taken from the environment only.
"""


def main() -> int:
    """Write the two files, or compare them."""
    wanted = {ROOT / "docs" / "settings.md": markdown(), ROOT / ".env.example": dotenv()}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is stale: run python docs/generate_settings.py")
        return 1 if stale else 0
    for path in stale:
        path.write_text(wanted[path], "utf-8")
    return 0


def texts() -> dict[str, str]:
    """The docstring under each field of Settings. Every field has one: a missing one is a KeyError further down."""
    tree = ast.parse(Path(source.__file__).read_text("utf-8"))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Settings")
    found = {}
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            kind = Settings.model_fields[field.target.id].annotation
            choices = ", ".join(f"`{choice}`" for choice in get_args(kind)) if get_origin(kind) is Literal else ""
            found[field.target.id] = str(ast.literal_eval(text.value)) + (f" One of {choices}." if choices else "")
    return found


def default(name: str) -> str:
    """What holds when the variable is not set, as one would write it."""
    field = Settings.model_fields[name]
    if field.default_factory or field.default in (None, (), {}, ""):
        return ""
    return example(name)


def sample_of(name: str) -> str:
    """An example of the field; that of `providers` is the address of one."""
    return "https://api.groq.com/openai/v1" if name == "providers" else example(name)


def markdown() -> str:
    """docs/settings.md: one table for each group."""
    doc, lines = texts(), [INTRODUCTION.rstrip()]
    for name in Settings.model_fields:
        if name in GROUPS:
            lines += ["", f"## {GROUPS[name]}", "", "| variable | default | meaning | example |", "|---|---|---|---|"]
        variable = env_names().get(name, "PARLEY_PROVIDER_<NAME>_URL")
        held = f"`{default(name)}`" if default(name) else ""
        sample = "" if default(name) == sample_of(name) else f"`{sample_of(name)}`"
        lines.append(f"| `{variable}` | {held} | {doc[name]} | {sample} |")
    return "\n".join(lines) + "\n"


def dotenv() -> str:
    """.env.example: every setting, commented out, with its default or an example."""
    doc, lines = texts(), ["# Copy to .env and keep what you need, or let `parley init` ask and write it."]
    for name in Settings.model_fields:
        if name in GROUPS:
            lines += ["", f"# ---- {GROUPS[name]}"]
        variable = env_names().get(name, "PARLEY_PROVIDER_GROQ_URL")
        value = default(name) or sample_of(name)
        lines += [f"# {doc[name]}", f"#{variable}={value!r}" if " " in value else f"#{variable}={value}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
