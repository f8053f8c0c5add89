"""Writes docs/commands.md from the table in handlers/table.py; with --check it only tells whether it is stale."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bot.channels import ChannelSettings  # noqa: E402 - the checkout's, also where an older Parley is installed
from bot.commands import usage  # noqa: E402
from handlers.table import SPECS  # noqa: E402

INTRODUCTION = """# Commands

Written by `python docs/generate_commands.py` from the table in `handlers/table.py`; change it there.

The same commands everywhere: on Discord as `/name`, on Slack as `/ask` and `/parley name` (and `!name` in threads,
where Slack has no slash commands), in the console as `/name`. Options are named, as `count:5` or in a platform's own
form, or follow in their order; a switch is also written `--private`. Only who uses a command sees its answer, unless
it says otherwise below.
"""


def main() -> int:
    """Write the page, or compare it."""
    path, wanted = ROOT / "docs" / "commands.md", markdown()
    if path.exists() and path.read_text("utf-8") == wanted:
        return 0
    if "--check" in sys.argv:
        print("docs/commands.md is stale: run python docs/generate_commands.py")
        return 1
    path.write_text(wanted, "utf-8")
    return 0


def markdown() -> str:
    """The page: a section for each command, and the channel settings with their defaults."""
    parts = [INTRODUCTION]
    for spec in SPECS:
        seen = "" if spec.is_private else " Everybody in the channel sees the answer."
        parts.append(f"## {spec.name}\n\n`{usage(spec)}`\n\n{spec.help[0].upper()}{spec.help[1:]}.{seen}\n")
        rows = []
        for option in spec.options:
            kind = f"one of {', '.join(f'`{one}`' for one in option.choices)}" if option.choices else option.type
            needed = ", required" if option.is_required else ""
            rows.append(f"| `{option.name}` | {option.help} | {kind}{needed} |")
        if rows:
            parts.append("\n".join(["| option | what it is | type |", "|---|---|---|", *rows]) + "\n")
    defaults = ChannelSettings()
    parts.append("## Channel settings\n\n" + (ChannelSettings.__doc__ or "").strip().replace("\n    ", "\n") + "\n")
    names = [f"| `{name}` | `{getattr(defaults, name)!r}` |" for name in ChannelSettings.__dataclass_fields__]
    parts.append("\n".join(["| setting | unless an environment variable says otherwise |", "|---|---|", *names]) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
