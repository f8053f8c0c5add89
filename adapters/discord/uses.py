"""What people do with commands, menus, buttons and dialogs, as data and as events of ours (pure)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import discord

from adapters.discord.markup import Control, readable
from adapters.discord.translate import conversation_of, person_of
from bot.events import Action, ActionTaken, Address, Attachment, CommandInvoked, Conversation, Quote

TOKEN_S = 900.0
"""How long Discord takes an interaction's token (its page "Receiving and Responding")."""
_TEXT_DISPLAY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The message that a menu was opened on."""

    quote: Quote
    attachments: tuple[Attachment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """`name` is the command's or the custom id, `text` what was written into a dialog.

    `addresses` are where the attached files lie, for some hours, by the attachment's id: no message holds them.
    """

    kind: Literal["command", "menu", "button", "dialog", "other"]
    name: str = ""
    options: tuple[tuple[str, str], ...] = ()
    is_private: bool = False
    attachments: tuple[Attachment, ...] = ()
    addresses: tuple[tuple[str, str], ...] = ()
    subject: Subject | None = None
    text: str = ""


def used(interaction: discord.Interaction) -> Use:
    """What was used, and what came with it."""
    data: Mapping[str, Any] = interaction.data or {}
    match interaction.type:
        case discord.InteractionType.application_command if data.get("type") == 1:
            return _command(interaction, data)
        case discord.InteractionType.application_command if "messages" in data.get("resolved", {}):
            raw = data["resolved"]["messages"][data["target_id"]]
            return Use(kind="menu", name=data["name"], subject=_subject(raw))
        case discord.InteractionType.component:
            return Use(kind="button", name=data["custom_id"])
        case discord.InteractionType.modal_submit:
            return Use(kind="dialog", name=data["custom_id"], text="".join(_written(data["components"])).strip())
    return Use(kind="other")


def is_foreign(interaction: discord.Interaction) -> bool:
    """Whether this happens where only a person has installed us: nothing but the token reaches there."""
    is_ours = interaction.is_guild_integration() or interaction.context.dm_channel
    return interaction.is_user_integration() and not is_ours


def invoked(
    interaction: discord.Interaction,
    name: str,
    options: tuple[tuple[str, str], ...],
    *,
    is_private: bool,
    quotes: tuple[Quote, ...] = (),
    attachments: tuple[Attachment, ...] = (),
) -> CommandInvoked:
    """A command; answered through its token, which is good for 15 minutes."""
    return CommandInvoked(
        id=str(interaction.id),
        conversation=_conversation(interaction, is_private=is_private),
        author=person_of(interaction.user, interaction.permissions),
        at=interaction.created_at.timestamp(),
        address=_address(interaction, is_private=is_private, has_token=True),
        name=name,
        options=options,
        quotes=quotes,
        attachments=attachments,
    )


def acted(
    interaction: discord.Interaction, action: Action, turn: str, *, is_private: bool, text: str = ""
) -> ActionTaken:
    """A control of an answer. Only what its asker alone may see needs the token: a public answer is edited as it is."""
    has_token = is_private or action == "why"
    return ActionTaken(
        id=str(interaction.id),
        conversation=_conversation(interaction, is_private=is_private),
        author=person_of(interaction.user, interaction.permissions),
        at=interaction.created_at.timestamp(),
        address=_address(interaction, is_private=has_token, has_token=has_token),
        action=action,
        turn=turn,
        text=text,
    )


def is_of_private(interaction: discord.Interaction, control: Control) -> bool:
    """Whether a control belongs to an answer that its asker alone sees. The menu of a public one is private too."""
    is_unseen = interaction.message is not None and interaction.message.flags.ephemeral
    return "private" in control.words or (is_unseen and "menu" not in control.words) or is_foreign(interaction)


def _conversation(interaction: discord.Interaction, *, is_private: bool) -> Conversation:
    channel = interaction.channel or discord.Object(0)
    guild = None if is_foreign(interaction) else interaction.guild_id
    return conversation_of(channel, guild, person=str(interaction.user.id) if is_private else "")


def _address(interaction: discord.Interaction, *, is_private: bool, has_token: bool) -> Address:
    return Address(
        channel=str(interaction.channel_id or 0),
        reply_to=str(interaction.message.id) if interaction.message else "",
        recipient=str(interaction.user.id),
        token=interaction.token if has_token else "",
        expires_at=interaction.created_at.timestamp() + TOKEN_S if has_token else 0.0,
        is_private=is_private,
    )


def _command(interaction: discord.Interaction, data: Mapping[str, Any]) -> Use:
    given: dict[str, Any] = {option["name"]: option for option in data.get("options", ())}
    files: Mapping[str, Any] = data.get("resolved", {}).get("attachments", {})
    attached = [files[str(option["value"])] for option in given.values() if option["type"] == 11]
    return Use(
        kind="command",
        name=data["name"],
        options=tuple((name, str(option["value"])) for name, option in given.items() if option["type"] == 3),
        is_private=bool(given.get("private", {}).get("value")),
        attachments=tuple(_attachment(file, f"interaction/{interaction.id}") for file in attached),
        addresses=tuple((f"interaction/{interaction.id}/{file['id']}", str(file["url"])) for file in attached),
    )


def _subject(raw: Mapping[str, Any]) -> Subject:
    author: Mapping[str, Any] = raw["author"]
    names = {int(user["id"]): _name(user) for user in raw.get("mentions", ())}
    text = "\n\n".join(filter(None, (raw.get("content", ""), *_displayed(raw.get("components", ())))))
    source = f"{raw['channel_id']}/{raw['id']}"
    return Subject(
        quote=Quote(kind="subject", text=readable(text, 0, names), author=_name(author), id=str(raw["id"])),
        attachments=tuple(_attachment(file, source) for file in raw.get("attachments", ())),
    )


def _name(user: Mapping[str, Any]) -> str:
    return str(user.get("global_name") or user["username"])


def _attachment(file: Mapping[str, Any], source: str) -> Attachment:
    kind = str(file.get("content_type") or "").partition(";")[0]
    return Attachment(id=f"{source}/{file['id']}", name=file["filename"], media_type=kind, size=file["size"])


def _displayed(components: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for component in components:
        if component["type"] == _TEXT_DISPLAY:
            yield component["content"]
        yield from _displayed(component.get("components", ()))


def _written(components: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The texts of a dialog: its fields stand in labels or, from older clients, in rows."""
    for component in components:
        yield component.get("value") or ""
        yield from _written([component["component"]] if "component" in component else component.get("components", ()))
