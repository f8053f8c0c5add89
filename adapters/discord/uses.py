"""What people do with commands, menus, buttons and dialogs, as data and as events of ours (pure)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import discord

from adapters.discord.markup import Control, readable
from adapters.discord.translate import DIRECT, conversation_of, person_of
from bot.events import Action, ActionTaken, Address, Attachment, CommandInvoked, Conversation, Person, Quote

TOKEN_S = 900.0
"""How long Discord takes an interaction's token (its page "Receiving and Responding")."""
_TEXT_DISPLAY, _FILE = 10, 11
Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """`name` is the command's or the custom id, `text` what was written into a dialog, `fields` the same by field.

    Of what is being typed `focus` is the option.
    `subject` is the message that a menu was opened on, as Discord's JSON. `addresses` are where the attached files lie,
    for some hours, by the attachment's id: no message holds them.
    """

    kind: Literal["command", "menu", "button", "dialog", "typing", "other"]
    name: str = ""
    text: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    focus: str = ""
    subject: str = ""
    is_private: bool = False
    options: tuple[tuple[str, str], ...] = ()
    quotes: tuple[Quote, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    addresses: tuple[tuple[str, str], ...] = ()


def used(interaction: discord.Interaction) -> Use:
    """What was used, and what came with it."""
    data: Raw = interaction.data or {}
    match interaction.type:
        case discord.InteractionType.application_command if data.get("type") == 1:
            return _command(interaction.id, data)
        case discord.InteractionType.autocomplete:
            focus = next(str(option["name"]) for option in data["options"] if option.get("focused"))
            return Use(kind="typing", name=data["name"], options=_options(data["options"]), focus=focus)
        case discord.InteractionType.application_command if "messages" in data.get("resolved", {}):
            return menu_on(json.dumps(data["resolved"]["messages"][data["target_id"]]), data["name"])
        case discord.InteractionType.component:
            return Use(kind="button", name=data["custom_id"])
        case discord.InteractionType.modal_submit:
            fields = tuple(_written(data["components"]))
            text = "".join(value for _, value in fields).strip()
            return Use(kind="dialog", name=data["custom_id"], text=text, fields=fields)
    return Use(kind="other")


def menu_on(subject: str, name: str) -> Use:
    """A menu on this message."""
    raw: Raw = json.loads(subject)
    names = {int(user["id"]): _name(user) for user in raw.get("mentions", ())}
    text = readable("\n\n".join(filter(None, (raw.get("content"), *_displayed(raw.get("components", ()))))), 0, names)
    quote = Quote(kind="subject", text=text, author=_name(raw["author"]), id=str(raw["id"]))
    files = tuple(_attachment(file, f"{raw['channel_id']}/{raw['id']}") for file in raw.get("attachments", ()))
    return Use(kind="menu", name=name, subject=subject, quotes=(quote,), attachments=files)


def is_foreign(interaction: discord.Interaction) -> bool:
    """Whether this happens where only a person has installed us: nothing but the token reaches there."""
    is_ours = interaction.is_guild_integration() or interaction.context.dm_channel
    return interaction.is_user_integration() and not is_ours


def is_of_private(interaction: discord.Interaction, control: Control) -> bool:
    """Whether a control belongs to an answer that its asker alone sees. The menu of a public one is private too."""
    is_unseen = interaction.message is not None and interaction.message.flags.ephemeral
    return "private" in control.words or (is_unseen and "menu" not in control.words) or is_foreign(interaction)


def invoked(interaction: discord.Interaction, name: str, use: Use, *, is_private: bool) -> CommandInvoked:
    """A command; answered through its token, which is good for 15 minutes."""
    id, where, who, at, address = _common(interaction, is_private=is_private)
    address = replace(address, token=interaction.token, expires_at=at + TOKEN_S, is_private=is_private)
    event = CommandInvoked(
        id=id, conversation=where, author=who, at=at, address=address, name=name, options=use.options
    )
    return replace(event, quotes=use.quotes, attachments=use.attachments, is_direct=where.workspace == DIRECT)


def acted(interaction: discord.Interaction, action: Action, turn: str, text: str, *, is_private: bool) -> ActionTaken:
    """A control of an answer. Only what its asker alone may see needs the token: a public answer is edited as it is."""
    id, where, who, at, address = _common(interaction, is_private=is_private)
    if is_private or action == "why":
        address = replace(address, token=interaction.token, expires_at=at + TOKEN_S, is_private=True)
    event = ActionTaken(id=id, conversation=where, author=who, at=at, address=address, action=action, turn=turn)
    return replace(event, text=text, is_direct=where.workspace == DIRECT)


def _common(interaction: discord.Interaction, *, is_private: bool) -> tuple[str, Conversation, Person, float, Address]:
    guild, person = None if is_foreign(interaction) else interaction.guild_id, str(interaction.user.id)
    where = conversation_of(interaction.channel or discord.Object(0), guild, person=person if is_private else "")
    message = str(interaction.message.id) if interaction.message else ""
    address = Address(channel=str(interaction.channel_id or 0), reply_to=message, recipient=person)
    who = person_of(interaction.user, interaction.permissions)
    return str(interaction.id), where, who, interaction.created_at.timestamp(), address


def _command(id: int, data: Raw) -> Use:
    given: Sequence[Raw] = data.get("options", ())
    attached = [data["resolved"]["attachments"][str(option["value"])] for option in given if option["type"] == _FILE]
    return Use(
        kind="command",
        name=data["name"],
        options=_options(given),
        attachments=tuple(_attachment(file, f"interaction/{id}") for file in attached),
        addresses=tuple((f"interaction/{id}/{file['id']}", str(file["url"])) for file in attached),
    )


def _options(given: Sequence[Raw]) -> tuple[tuple[str, str], ...]:
    """The options as text; a switch is on or off, and a file comes beside them."""
    found = [(option["name"], option["value"]) for option in given if option["type"] != _FILE]
    texts = {True: "on", False: "off"}
    return tuple((name, texts[value] if isinstance(value, bool) else str(value)) for name, value in found)


def _name(user: Raw) -> str:
    return str(user.get("global_name") or user["username"])


def _attachment(file: Raw, source: str) -> Attachment:
    kind = str(file.get("content_type") or "").partition(";")[0]
    return Attachment(id=f"{source}/{file['id']}", name=file["filename"], media_type=kind, size=file["size"])


def _displayed(components: Sequence[Raw]) -> Iterator[str]:
    for component in components:
        if component["type"] == _TEXT_DISPLAY:
            yield component["content"]
        yield from _displayed(component.get("components", ()))


def _written(components: Sequence[Raw]) -> Iterator[tuple[str, str]]:
    """The fields of a dialog with their texts: they stand in labels or, from older clients, in rows."""
    for component in components:
        if "value" in component:
            yield component["custom_id"], component["value"] or ""
        yield from _written([component["component"]] if "component" in component else component.get("components", ()))
