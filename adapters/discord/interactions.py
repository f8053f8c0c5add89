"""Commands, menus, buttons and dialogs: taken within a second, acknowledged within three, or refused in private.

Nothing of them is kept in memory: a custom id tells all, so that a control outlives any process.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable
from dataclasses import asdict
from typing import TypeVar, get_args

import discord

from adapters.discord.commands import ASK_ABOUT, SUMMARISE
from adapters.discord.errors import errors_as_ours
from adapters.discord.markup import Control, control_of, custom_id
from adapters.discord.options import Options
from adapters.discord.uses import Subject, Use, acted, invoked, is_foreign, is_of_private, used
from bot.errors import BotError, NotAllowed, StoreUnavailable
from bot.events import Action, ActionTaken, Attachment, CommandInvoked, Quote
from bot.ports import Intake, Shelf

_ADMIT_S = 1.0
"""Discord waits 3 s for the first response; it must not wait for the store longer than this."""
_RESPOND_S = 3.0
_SUBJECT_S = 3600.0
_ADDRESS_S = 86400.0
_SAID = {
    "stop": "Stopping.",
    "retry": "Another version is on its way.",
    "continue": "Going on.",
    "delete": "It will be gone in a moment.",
    "up": "Thank you!",
    "down": "Thank you. It helps to know.",
}
LABELS = {"retry": "Regenerate", "continue": "Go on", "delete": "Delete", "up": "👍", "down": "👎", "why": "Why this?"}
_ON_MESSAGE = ("retry", "continue", "delete", "stop")
"""What changes the answer's message itself."""
_UNKNOWN = "I don't know what that is. It may be from another version of me."
_T = TypeVar("_T")
_Field = discord.ui.TextInput[discord.ui.Modal]


class Interactions:
    """Takes every interaction of one connection."""

    def __init__(self, intake: Intake, shelf: Shelf, options: Options) -> None:
        self._intake, self._shelf, self._options = intake, shelf, options

    async def take(self, interaction: discord.Interaction) -> None:
        """One interaction, to its first response. Never raises for what Discord or the store do."""
        try:
            async with asyncio.timeout(_ADMIT_S + _RESPOND_S):
                with errors_as_ours():
                    await self._take(interaction)
        except (BotError, TimeoutError) as error:
            logging.getLogger(__name__).warning("an interaction was not acknowledged: %s", error)

    async def _take(self, interaction: discord.Interaction) -> None:
        use = used(interaction)
        control = control_of(use.name)
        try:
            self._permit(interaction)
            match use:
                case Use(kind="command", name="ask"):
                    await self._ask(interaction, use)
                case Use(kind="menu", name=name, subject=Subject() as subject) if name == ASK_ABOUT:
                    await self._open_ask(interaction, subject)
                case Use(kind="menu", name=name, subject=Subject() as subject) if name == SUMMARISE:
                    options = (("from", subject.quote.id),)
                    await self._invoke(interaction, "summarise", options, is_private=True)
                case Use(kind="dialog") if control and control.action == "ask":
                    await self._ask_about(interaction, control.turn, use.text)
                case Use(kind="dialog") if control and control.action == "down":
                    await self._act(interaction, control, "down", use.text)
                case Use(kind="button") if control and control.action == "more":
                    await self._open_menu(interaction, control)
                case Use(kind="button") if control and control.action == "down":
                    await self._open_down(interaction, control)
                case Use(kind="button") if control and (action := _action(control)):
                    await self._act(interaction, control, action)
                case Use(kind="other"):
                    pass
                case _:
                    raise NotAllowed(use.name, notice=_UNKNOWN)
        except (NotAllowed, StoreUnavailable) as error:
            await interaction.response.send_message(error.notice, ephemeral=True)

    def _permit(self, interaction: discord.Interaction) -> None:
        if is_foreign(interaction):
            if str(interaction.user.id) not in self._options.people:
                raise NotAllowed("a user install is for listed people")
        elif not self._options.serves(interaction.guild_id):
            raise NotAllowed(str(interaction.guild_id))

    async def _ask(self, interaction: discord.Interaction, use: Use) -> None:
        for id, url in use.addresses:
            await self._within(self._shelf.put(f"file:{id}", url, expires_s=_ADDRESS_S))
        await self._invoke(interaction, "ask", use.options, is_private=use.is_private, attachments=use.attachments)

    async def _open_ask(self, interaction: discord.Interaction, subject: Subject) -> None:
        """A dialog cannot carry the message that it is about: so that lies on the shelf meanwhile."""
        kept = json.dumps(asdict(subject))
        await self._within(self._shelf.put(f"subject:{interaction.id}", kept, expires_s=_SUBJECT_S))
        field = _Field(style=discord.TextStyle.paragraph, max_length=2000)
        await self._open(interaction, ASK_ABOUT, custom_id("ask", str(interaction.id)), "Your question", field)

    async def _ask_about(self, interaction: discord.Interaction, key: str, question: str) -> None:
        kept = await self._within(self._shelf.get(f"subject:{key}"))
        if kept is None:
            raise NotAllowed(key, notice="I have forgotten which message this was about. Please choose it again.")
        subject = json.loads(kept)
        await self._invoke(
            interaction,
            "ask",
            (("question", question),),
            is_private=False,
            quotes=(Quote(**subject["quote"]),),
            attachments=tuple(Attachment(**file) for file in subject["attachments"]),
        )

    async def _invoke(
        self,
        interaction: discord.Interaction,
        name: str,
        options: tuple[tuple[str, str], ...],
        *,
        is_private: bool,
        quotes: tuple[Quote, ...] = (),
        attachments: tuple[Attachment, ...] = (),
    ) -> None:
        is_private = is_private or is_foreign(interaction)
        event = invoked(interaction, name, options, is_private=is_private, quotes=quotes, attachments=attachments)
        await self._admit(event)
        await interaction.response.defer(ephemeral=is_private, thinking=True)

    async def _act(self, interaction: discord.Interaction, control: Control, action: Action, text: str = "") -> None:
        is_private = is_of_private(interaction, control)
        await self._admit(acted(interaction, action, control.turn, is_private=is_private, text=text))
        if action == "why":
            await interaction.response.defer(ephemeral=True, thinking=True)
        elif is_private and action in _ON_MESSAGE:
            await interaction.response.defer()  # the token then means the answer itself
        else:
            await interaction.response.send_message(_SAID[action], ephemeral=True)

    async def _open_menu(self, interaction: discord.Interaction, control: Control) -> None:
        """What an answer has no room for. Of a private answer only what needs no hold on its message."""
        is_private = is_of_private(interaction, control)
        shown = [action for action in control.words if action in LABELS and not (is_private and action in _ON_MESSAGE)]
        view = discord.ui.View(timeout=None)
        for action in shown:
            id = custom_id(action, control.turn, ("menu", *(["private"] if is_private else ())))
            view.add_item(discord.ui.Button[discord.ui.View](label=LABELS[action], custom_id=id))
        view.stop()  # discord.py would keep it in memory
        await interaction.response.send_message("What else?", view=view, ephemeral=True)

    async def _open_down(self, interaction: discord.Interaction, control: Control) -> None:
        words = ("private",) if is_of_private(interaction, control) else ("menu",)
        field = _Field(style=discord.TextStyle.paragraph, max_length=2000, required=False)
        id = custom_id("down", control.turn, words)
        await self._open(interaction, "What was wrong?", id, "A better answer, if you have one", field)

    async def _open(
        self,
        interaction: discord.Interaction,
        title: str,
        id: str,
        label: str,
        field: _Field,
    ) -> None:
        modal = discord.ui.Modal(title=title, custom_id=id, timeout=None)
        modal.add_item(discord.ui.Label(text=label, component=field))
        modal.stop()  # discord.py would keep it in memory
        await interaction.response.send_modal(modal)

    async def _admit(self, event: CommandInvoked | ActionTaken) -> None:
        await self._within(self._intake(event))

    async def _within(self, work: Awaitable[_T]) -> _T:
        """The work, or StoreUnavailable where it takes longer than a first response may wait."""
        try:
            async with asyncio.timeout(_ADMIT_S):
                return await work
        except TimeoutError:
            raise StoreUnavailable("no answer in time") from None


def _action(control: Control) -> Action | None:
    return next((action for action in get_args(Action) if action == control.action), None)
