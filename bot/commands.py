"""How a command is declared, and how its options are typed. The table is in `handlers`; platforms serve it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bot.errors import BotError, texts


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionSpec:
    """One option of a command. With `choices` it is one of these; with `completes` values are suggested as one types.

    `is_long`: several lines, for which a platform opens a dialog where it can; `most` is its longest text, characters.
    """

    name: str
    help: str
    type: Literal["text", "number", "switch", "file"] = "text"
    is_required: bool = False
    choices: tuple[str, ...] = ()
    completes: bool = False
    is_long: bool = False
    most: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSpec:
    """One command. `is_private`: only who uses it sees its answer.

    Where its first option is one of `dialog`, long options that were not given are asked for in a dialog.
    """

    name: str
    help: str
    options: tuple[OptionSpec, ...] = ()
    is_private: bool = True
    dialog: tuple[str, ...] = ()

    def option(self, name: str) -> OptionSpec | None:
        """The option of this name."""
        return next((option for option in self.options if option.name == name), None)


def is_private(spec: CommandSpec, options: Mapping[str, str]) -> bool:
    """Whether only who uses the command sees its answer: as it is declared, unless a switch says otherwise."""
    return options.get("private") == "on" or (spec.is_private and options.get("public") != "on")


def form(spec: CommandSpec, options: Mapping[str, str]) -> tuple[OptionSpec, ...]:
    """The options that are still to be asked for in a dialog: a platform's modal, or one prompt after the other."""
    if not spec.options or options.get(spec.options[0].name, "") not in spec.dialog:
        return ()
    return tuple(option for option in spec.options if option.is_long and option.name not in options)


class WrongUse(BotError):
    """A command that was used as it cannot be; the notice says what is wrong and how it goes."""

    def __init__(self, spec: CommandSpec, why: str) -> None:
        notice = texts()["WrongUse"].format(name=spec.name, why=why, usage=usage(spec))
        super().__init__(f"{spec.name}: {why}", notice=notice)


def usage(spec: CommandSpec) -> str:
    """How the command is written: `name required [optional]`."""
    shown = ("|".join(option.choices) if 0 < len(option.choices) < 6 else option.name for option in spec.options)
    words = (word if option.is_required else f"[{word}]" for option, word in zip(spec.options, shown, strict=True))
    return " ".join((spec.name, *words))


def checked(spec: CommandSpec, options: Mapping[str, str]) -> dict[str, str]:
    """The options as given, without those that are empty. Raises WrongUse for the first that cannot be."""
    given = {name: value for name, value in options.items() if value}
    for name, value in given.items():
        if (option := spec.option(name)) is None:
            raise WrongUse(spec, f"it has no option `{name[:40]}`")
        if option.choices and value not in option.choices:
            raise WrongUse(spec, f"`{name}` is one of {', '.join(option.choices)}")
        if option.type == "number" and not re.fullmatch(r"-?\d{1,9}(\.\d{1,9})?", value):
            raise WrongUse(spec, f"`{name}` is a number")
        if option.type == "switch" and value not in ("on", "off"):
            raise WrongUse(spec, f"`{name}` is on or off")
        if option.type != "file" and len(value) > option.most:
            raise WrongUse(spec, f"`{name}` is longer than {option.most:,} characters")
    for option in spec.options:
        if option.is_required and option.name not in given:
            raise WrongUse(spec, f"`{option.name}` is missing")
    return given


def parsed(spec: CommandSpec, text: str) -> dict[str, str]:
    """The options in a line that somebody typed behind a command's name. Raises WrongUse.

    `name:value` and `--switch` may stand first; the other words fill the options in their order, a choice and a number
    one word, the last text all that is left.
    """
    given: dict[str, str] = {}
    rest = text.strip()
    named = "|".join(re.escape(option.name) for option in spec.options) or "(?!)"
    while found := re.match(rf"(?:--(?P<switch>{named})|(?P<name>{named}):(?P<value>\"[^\"]*\"|\S+))(?:\s+|$)", rest):
        given[found["switch"] or found["name"]] = "on" if found["switch"] else found["value"].strip('"')
        rest = rest[found.end() :]
    open_options = [
        option for option in spec.options if option.name not in given and option.type not in ("switch", "file")
    ]
    while rest and open_options:
        option = open_options.pop(0)
        if open_options:
            value, _, rest = rest.partition(" ")
        else:
            value, rest = rest, ""
        given[option.name], rest = value, rest.strip()
    if rest:
        raise WrongUse(spec, f"it takes nothing more than that: {rest[:40]!r}")
    return checked(spec, given)
