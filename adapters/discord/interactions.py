"""Commands, menus, buttons and dialogs: taken within a second, acknowledged within three, or refused in private.

Nothing of them is kept in memory: a custom id tells all, so that a control outlives any process.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar, get_args

import discord

from adapters.discord.errors import errors_as_ours
from adapters.discord.markup import Control, control_of, custom_id
from adapters.discord.options import Options
from adapters.discord.texts import ACTIONS, ASK_ABOUT, SUMMARISE, TEXTS
from adapters.discord.translate import conversation_of
from adapters.discord.uses import Use, acted, invoked, is_foreign, is_of_private, menu_on, used
from bot.commands import OptionSpec, form
from bot.commands import is_private as is_hidden
from bot.errors import BotError, NotAllowed, StoreUnavailable
from bot.events import Action
from bot.ports import Intake, Shelf

_ADMIT_S, _RESPOND_S = 1.0, 3.0
"""Discord waits 3 s for the first response; of these at most the first one is for the store."""
_SUBJECT_S, _ADDRESS_S = 3600.0, 86400.0
_KNOWN: dict[str, Action] = {action: action for action in get_args(Action)}
_ON_MESSAGE = ("retry", "continue", "delete", "stop")
"""What changes the answer's message itself."""
_T = TypeVar("_T")


class Interactions:
    """Takes every interaction of one connection."""

    def __init__(self, intake: Intake, shelf: Shelf, options: Options) -> None:
        self._intake, self._shelf, self._options = intake, shelf, options

    async def take(self, interaction: discord.Interaction) -> None:
        """One interaction, to its first response. Never raises for what Discord or the store do."""
        try:
            with errors_as_ours():
                async with asyncio.timeout(_ADMIT_S + _RESPOND_S):
                    try:
                        await self._take(interaction)
                    except (NotAllowed, StoreUnavailable) as error:
                        await interaction.response.send_message(error.notice, ephemeral=True)
        except BotError as error:
            logging.getLogger(__name__).warning("an interaction was not acknowledged: %s", error)

    async def _take(self, interaction: discord.Interaction) -> None:
        is_listed = str(interaction.user.id) in self._options.people
        if not (is_listed if is_foreign(interaction) else self._options.serves(interaction.guild_id)):
            raise NotAllowed(f"interaction of {interaction.user.id} in {interaction.guild_id}")
        use = used(interaction)
        control = control_of(use.name) or Control(action=use.name, turn="")
        match use.kind, control.action:
            case "other", _:
                return
            case "typing", _:
                await self._suggest(interaction, use)
            case "command", name if spec := self._options.command(name):
                for id, url in use.addresses:
                    await _soon(self._shelf.put(f"file:{id}", url, expires_s=_ADDRESS_S))
                if fields := form(spec, dict(use.options)):
                    begun = json.dumps([name, use.options])
                    await _soon(self._shelf.put(f"form:{interaction.id}", begun, expires_s=_SUBJECT_S))
                    await _open_form(interaction, name, custom_id("form", str(interaction.id)), fields)
                else:
                    await self._invoke(interaction, name, use)
            case "dialog", "form":
                if (said := await _soon(self._shelf.get(f"form:{control.turn}"))) is None:
                    raise NotAllowed(control.turn, notice=TEXTS["forgotten"])
                name, options = json.loads(said)
                given = (*((key, value) for key, value in options), *use.fields)
                await self._invoke(interaction, name, replace(use, options=given))
            case "menu", name if name == ASK_ABOUT:
                # A dialog cannot carry the message that it is about: so that lies on the shelf meanwhile.
                await _soon(self._shelf.put(f"subject:{interaction.id}", use.subject, expires_s=_SUBJECT_S))
                await _open(interaction, ASK_ABOUT, custom_id("ask", str(interaction.id)), "Your question")
            case "menu", name if name == SUMMARISE:
                begin = Use(kind="menu", options=(("from", use.quotes[0].id),))
                await self._invoke(interaction, "summarise", begin)
            case "dialog", "ask":
                if (subject := await _soon(self._shelf.get(f"subject:{control.turn}"))) is None:
                    raise NotAllowed(control.turn, notice=TEXTS["forgotten"])
                asked = replace(menu_on(subject, ASK_ABOUT), options=(("question", use.text),))
                await self._invoke(interaction, "ask", asked)
            case "button", "more":
                await _open_menu(interaction, control)
            case "button", "down":
                id = custom_id("down", control.turn, _marks(interaction, control))
                await _open(interaction, "What was wrong?", id, "A better answer, if you have one", is_required=False)
            case "button" | "dialog", action if action in _KNOWN:
                await self._act(interaction, control, _KNOWN[action], use.text)
            case _:
                raise NotAllowed(use.name, notice=TEXTS["unknown"])

    async def _invoke(self, interaction: discord.Interaction, name: str, use: Use) -> None:
        spec, given = self._options.command(name), dict(use.options)
        is_private = is_foreign(interaction) or (spec is not None and is_hidden(spec, given))
        await _soon(self._intake(invoked(interaction, name, use, is_private=is_private)))
        await interaction.response.defer(ephemeral=is_private, thinking=True)

    async def _suggest(self, interaction: discord.Interaction, use: Use) -> None:
        """What an option may be, as somebody types it; none where the store takes its time."""
        found: Sequence[str] = ()
        if self._options.suggest is not None:
            place = conversation_of(interaction.channel or discord.Object(0), interaction.guild_id)
            typed = dict(use.options).get(use.focus, "")
            with suppress(StoreUnavailable):
                found = await _soon(self._options.suggest(place, use.name, use.focus, typed))
        await interaction.response.autocomplete([discord.app_commands.Choice(name=one, value=one) for one in found])

    async def _act(self, interaction: discord.Interaction, control: Control, action: Action, text: str) -> None:
        is_private = is_of_private(interaction, control)
        await _soon(self._intake(acted(interaction, action, control.turn, text, is_private=is_private)))
        if action == "why":
            await interaction.response.defer(ephemeral=True, thinking=True)
        elif is_private and action in _ON_MESSAGE:
            await interaction.response.defer()  # the token then means the answer itself
        else:
            await interaction.response.send_message(ACTIONS[action][1], ephemeral=True)


async def _soon(work: Awaitable[_T]) -> _T:
    """The work, or StoreUnavailable where it takes longer than a first response may wait."""
    try:
        async with asyncio.timeout(_ADMIT_S):
            return await work
    except TimeoutError:
        raise StoreUnavailable("no answer in time") from None


def _marks(interaction: discord.Interaction, control: Control) -> tuple[str, ...]:
    return ("menu", "private") if is_of_private(interaction, control) else ("menu",)


async def _open_menu(interaction: discord.Interaction, control: Control) -> None:
    """What an answer has no room for. Of a private answer only what needs no hold on its message."""
    view, marks = discord.ui.View(timeout=None), _marks(interaction, control)
    for action in control.words:
        if action in ACTIONS and not ("private" in marks and action in _ON_MESSAGE):
            label, id = ACTIONS[action][0], custom_id(action, control.turn, marks)
            view.add_item(discord.ui.Button[discord.ui.View](label=label, custom_id=id))
    view.stop()  # discord.py would keep it in memory
    await interaction.response.send_message("What else?", view=view, ephemeral=True)


async def _open_form(interaction: discord.Interaction, name: str, id: str, fields: Sequence[OptionSpec]) -> None:
    """A dialog for the long options of a command; a field's custom id is the option's name."""
    modal = discord.ui.Modal(title=f"/{name}", custom_id=id, timeout=None)
    for option in fields[:5]:
        field = discord.ui.TextInput[discord.ui.Modal](
            style=discord.TextStyle.paragraph,
            custom_id=option.name,
            max_length=min(option.most, 4000),
            required=option.is_required,
        )
        modal.add_item(discord.ui.Label(text=option.help[:45], component=field))
    modal.stop()  # discord.py would keep it in memory
    await interaction.response.send_modal(modal)


async def _open(interaction: discord.Interaction, title: str, id: str, label: str, *, is_required: bool = True) -> None:
    """A dialog of one field."""
    modal, style = discord.ui.Modal(title=title, custom_id=id, timeout=None), discord.TextStyle.paragraph
    field = discord.ui.TextInput[discord.ui.Modal](style=style, max_length=2000, required=is_required)
    modal.add_item(discord.ui.Label(text=label, component=field))
    modal.stop()  # discord.py would keep it in memory
    await interaction.response.send_modal(modal)
