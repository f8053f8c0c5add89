"""Behaviour on simcord's Discord: another fake than ours, with its own rules for permissions, commands, intents."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import discord
import simcord

from adapters.discord.client import DiscordAdapter
from adapters.discord.gateway import Gateway
from adapters.discord.markup import custom_id
from adapters.discord.options import Options
from adapters.discord.texts import ASK_ABOUT, SUMMARISE
from bot.events import ActionTaken, Address, CommandInvoked, Event, MessageDeleted, MessageEdited, MessageReceived
from bot.ports import Admission, Button
from handlers.table import SPECS
from tests.discord.conftest import LIMITS
from tests.fakes.reply import FakeDraft
from tests.fakes.shelf import FakeShelf

TURN = "f00d" * 8


class Stage:
    """The adapter in a simulated guild with one channel and one person; `events` are what it heard."""

    def __init__(self, env: simcord.Env, adapter: DiscordAdapter, events: list[Event]) -> None:
        self.env, self.adapter, self.events = env, adapter, events
        self.guild = env.create_guild()
        self.channel = self.guild.create_text_channel("general")
        self.alice = self.guild.add_member(env.create_user("alice"))

    @property
    def me(self) -> discord.ClientUser:
        user = self.adapter._rest().user
        assert user is not None
        return user

    async def answer(self, address: Address, text: str, *buttons: Button) -> None:
        """What the core does: the smallest reply."""
        async with self.adapter.reply(address, FakeDraft(TURN)) as reply:
            await reply.finish(text, buttons)


@asynccontextmanager
async def simulated(intents: discord.Intents | None = None) -> AsyncIterator[Stage]:
    shelf, events = FakeShelf(), list[Event]()

    async def intake(event: Event) -> Admission:
        events.append(event)
        return Admission.ADMITTED

    envs: list[simcord.Env] = []

    def clock() -> float:
        return envs[0].now().timestamp()

    adapter = DiscordAdapter("token", shelf, limits=LIMITS, clock=clock)
    gateway = Gateway(intake, lambda: None, shelf, Options(commands=SPECS), clock)
    gateway.entrance.stale.add(0)
    if intents is not None:
        gateway.drop_content_intent()
    adapter._client = gateway
    async with simcord.run(gateway, shard_count=1, approved_intents=intents) as env:
        envs.append(env)
        yield Stage(env, adapter, events)
    await adapter.close()


def message(stage: Stage) -> MessageReceived:
    [event] = [event for event in stage.events if isinstance(event, MessageReceived)]
    return event


async def test_a_mention_is_answered_in_a_reply() -> None:
    """Who mentions the bot gets a reply to their own message."""
    async with simulated() as stage:
        asked = await stage.alice.send(stage.channel, f"<@{stage.me.id}> how are you?")
        event = message(stage)
        assert (event.mentions_bot, event.text, event.author.name) == (True, "how are you?", "alice")
        await stage.answer(event.address, "Well.")
        shown = stage.channel.last_message
        assert shown is not None
        assert shown.reference is not None
        assert (shown.content, shown.reference.message_id) == ("Well.", asked.id)


async def test_a_reply_to_the_bot_is_a_question() -> None:
    """Without a mention too, and with the bot's words as what is pointed at."""
    async with simulated() as stage:
        await stage.alice.send(stage.channel, f"<@{stage.me.id}> how are you?")
        await stage.answer(message(stage).address, "Well.")
        stage.events.clear()
        await stage.alice.send(stage.channel, "Why?", reply_to=stage.channel.last_message)
        event = message(stage)
        assert (event.replies_to_bot, [quote.text for quote in event.quotes]) == (True, ["Well."])


async def test_a_direct_message_is_a_question() -> None:
    """What is written to the bot alone is for it, and is answered there."""
    async with simulated() as stage:
        await stage.alice.send_dm("psst")
        event = message(stage)
        assert (event.is_direct, event.conversation.workspace) == (True, "@me")
        await stage.answer(event.address, "Yes?")


async def test_edits_and_deletions_are_told() -> None:
    """What people change about their message arrives, without a cache of messages."""
    async with simulated() as stage:
        asked = await stage.alice.send(stage.channel, f"<@{stage.me.id}> one")
        await stage.alice.edit(asked, f"<@{stage.me.id}> two")
        await stage.alice.delete(asked)
        assert [type(event) for event in stage.events] == [MessageReceived, MessageEdited, MessageDeleted]


async def test_ask_is_declared_and_deferred() -> None:
    """The slash command works because it was declared; until its answer comes, everybody sees that we think."""
    async with simulated() as stage:
        result = await stage.alice.slash(stage.channel, "ask", question="why?")
        assert (result.deferred, result.ephemeral) == (True, False)
        [event] = stage.events
        assert isinstance(event, CommandInvoked)
        assert result.response is not None
        assert result.response.content == ""


async def test_a_private_ask_is_seen_by_its_asker_alone() -> None:
    """Deferred unseen, in that person's own conversation."""
    async with simulated() as stage:
        result = await stage.alice.slash(stage.channel, "ask", question="why?", private=True)
        [event] = stage.events
        assert isinstance(event, CommandInvoked)
        assert (result.ephemeral, event.conversation.person) == (True, str(stage.alice.id))
        assert result.response is not None
        assert result.response.content == ""


async def test_the_menus_of_a_message_work() -> None:
    """One opens a dialog whose question is about that message, the other begins a summary there."""
    async with simulated() as stage:
        theirs = await stage.alice.send(stage.channel, "the topic")
        stage.events.clear()
        opened = await stage.alice.context_menu(stage.channel, ASK_ABOUT, theirs)
        assert opened.modal is not None
        field = opened.modal["components"][0]["component"]["custom_id"]
        await stage.alice.submit_modal(opened, {field: "how?"})
        await stage.alice.context_menu(stage.channel, SUMMARISE, theirs)
        asked, summarised = stage.events
        assert isinstance(asked, CommandInvoked)
        assert isinstance(summarised, CommandInvoked)
        assert ([quote.text for quote in asked.quotes], asked.options) == (["the topic"], (("question", "how?"),))
        assert (summarised.name, summarised.options) == ("summarise", (("from", str(theirs.id)),))


async def test_a_button_works_after_a_restart() -> None:
    """Nothing of a button is kept in memory: whoever is running takes it, and acknowledges it in private."""
    async with simulated() as stage:
        await stage.alice.send(stage.channel, f"<@{stage.me.id}> how?")
        await stage.answer(message(stage).address, "So.", Button(action="retry", label="Regenerate", turn=TURN))
        stage.events.clear()
        shown = stage.channel.last_message
        assert shown is not None
        result = await stage.alice.click(shown, custom_id=custom_id("retry", TURN))
        [event] = stage.events
        assert isinstance(event, ActionTaken)
        assert (event.action, event.turn, result.acknowledged, result.ephemeral) == ("retry", TURN, True, True)


async def test_who_manages_the_server_is_an_admin() -> None:
    """Rights come from the roles, in messages and in commands alike."""
    async with simulated() as stage:
        mods = stage.guild.create_role("Mods", permissions=discord.Permissions(manage_guild=True))
        boss = stage.guild.add_member(stage.env.create_user("boss"), roles=[mods])
        await boss.send(stage.channel, f"<@{stage.me.id}> hello")
        await boss.slash(stage.channel, "ask", question="hello")
        await stage.alice.send(stage.channel, f"<@{stage.me.id}> hello")
        asked = [event for event in stage.events if isinstance(event, MessageReceived | CommandInvoked)]
        told = [event.author.is_admin for event in asked]
        assert told == [True, True, False]


async def test_without_the_intent_mentions_and_direct_messages_work() -> None:
    """Talk is kept from us; what is meant for us comes with its words."""
    intents = discord.Intents.default()
    async with simulated(intents) as stage:
        await stage.alice.send(stage.channel, "just talk")
        await stage.alice.send(stage.channel, f"<@{stage.me.id}> hello")
        await stage.alice.send_dm("psst")
        assert [event.text for event in stage.events if isinstance(event, MessageReceived)] == ["hello", "psst"]
