"""Messages of people on Discord: what they point at, what hangs at them, and what becomes of them later."""

import pytest

from adapters.discord.client import DiscordAdapter
from adapters.discord.options import Options
from bot.errors import NotAllowed, StoreUnavailable
from bot.events import Attachment, Conversation, Event, MessageDeleted, MessageEdited, MessageReceived, Quote
from tests.discord.conftest import adapter_with
from tests.fakes.shelf import FakeShelf
from tests.servers.common import Fault, Json
from tests.servers.discord import DiscordServer
from tests.servers.discord_world import FORUM, THREAD, Message
from tests.servers.harness import Heard, running

MANAGE_CHANNELS, MANAGE_GUILD = 1 << 4, 1 << 5
CHAIN = "GET /channels/*/messages/*"


async def heard_of(server: DiscordServer, adapter: DiscordAdapter, *tell: object) -> MessageReceived:
    """The event of the one message that `tell` makes."""
    heard = Heard()
    async with running(adapter, heard):
        for act in tell:
            assert callable(act)
            act()
        return await heard.message()


# ---- what a message points at


async def test_who_is_meant_first_is_told(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """A message that begins by naming somebody else, or replies to them, is to others; naming them later is not."""
    heard, general = Heard(), server.general
    bob = server.world.add_user("Bob")
    his = server.world.add_message(general, bob, "I think so")
    ours = server.world.add_message(general, server.bot, "So do I")
    async with running(adapter, heard):
        server.say(general, f"{bob.mention} lunch?")
        server.say(general, "really?", reply_to=his.id)
        server.say(general, f"ask {bob.mention}")
        server.ask(general, f"and {bob.mention}?")
        server.say(general, "why?", reply_to=ours.id)
        await heard.message(5)
    assert [event.to_others for event in heard.messages] == [True, True, False, False, False]


async def test_what_is_replied_to_is_quoted(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """A reply carries the message it replies to, by name, with its mentions readable."""
    bob = server.world.add_user("Bob")
    his = server.world.add_message(server.general, bob, f"{server.alice.mention} knows")
    event = await heard_of(
        server, adapter, lambda: server.say(server.general, f"{server.bot.mention} does she?", reply_to=his.id)
    )
    assert event.quotes == (Quote(kind="reply", text="@Alice knows", author="Bob", id=his.id),)


async def test_a_chain_of_replies_is_followed_for_a_question(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Discord tells one link only; for a question the links before it are fetched, and stand in their order."""
    general, bob = server.general, server.world.add_user("Bob")
    first = server.world.add_message(general, bob, "one")
    second = server.world.add_message(general, server.alice, "two", reply_to=first.id)
    event = await heard_of(
        server, adapter, lambda: server.say(general, f"{server.bot.mention} three?", reply_to=second.id)
    )
    assert [(quote.text, quote.author) for quote in event.quotes] == [("one", "Bob"), ("two", "Alice")]


async def test_a_chain_ends_at_our_own_answer(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """What stood before our own answer is in the transcript already: nothing is fetched for it."""
    question = server.world.add_message(server.general, server.alice, "well?")
    ours = server.world.add_message(server.general, server.bot, "well.", reply_to=question.id)
    event = await heard_of(server, adapter, lambda: server.say(server.general, "why?", reply_to=ours.id))
    assert [quote.text for quote in event.quotes] == ["well."]
    assert server.named(CHAIN) == []


async def test_talk_costs_no_request(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Replies among people, of which Discord tells one link, are heard as they come."""
    first = server.world.add_message(server.general, server.alice, "one")
    second = server.world.add_message(server.general, server.alice, "two", reply_to=first.id)
    await heard_of(server, adapter, lambda: server.say(server.general, "three", reply_to=second.id))
    assert server.named(CHAIN) == []


async def test_a_link_that_cannot_be_fetched_costs_only_itself(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """A question whose chain is broken or refused is asked all the same."""
    first = server.world.add_message(server.general, server.alice, "one")
    second = server.world.add_message(server.general, server.alice, "two", reply_to=first.id)
    server.faults.append(Fault(match=CHAIN, status=403, body={"code": 50001, "message": "Missing Access"}))
    event = await heard_of(
        server, adapter, lambda: server.say(server.general, f"{server.bot.mention} three?", reply_to=second.id)
    )
    assert [quote.text for quote in event.quotes] == ["two"]


async def test_a_reply_to_what_is_deleted_is_a_message(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Where nothing is left to quote, nothing is quoted."""
    gone = server.world.add_message(server.general, server.alice, "one")
    gone.is_deleted = True
    event = await heard_of(
        server, adapter, lambda: server.say(server.general, f"{server.bot.mention} what was that?", reply_to=gone.id)
    )
    assert (event.quotes, event.to_others) == ((), False)


async def test_what_is_not_resolved_is_fetched(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Where Discord did not look up what a message replies to, we do: it may be our own."""
    ours = server.world.add_message(server.general, server.bot, "mine")
    reply = server.world.add_message(server.general, server.alice, "and?", reply_to=ours.id)
    plain = server.world.json(reply, is_event=True)
    del plain["referenced_message"]
    event = await heard_of(server, adapter, lambda: server.dispatch("MESSAGE_CREATE", plain, server.world.guild))
    assert event.replies_to_bot


SNAPSHOT: Json = {
    "type": 0,
    "content": "",
    "embeds": [],
    "attachments": [],
    "timestamp": "2026-11-01T10:00:00+00:00",
    "edited_timestamp": None,
    "flags": 0,
}


async def test_a_forwarded_message_is_quoted(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """A forward has no words of its own: they are in its copy, and so are its files. It replies to nobody."""
    message = server.world.add_message(server.world.add_direct(server.alice), server.alice, "")
    file = server.world.attach(message, "plan.txt", "text/plain", b"1 2 3")
    message.attachments, message.forwards = [], "77"
    message.snapshots = [SNAPSHOT | {"content": "the plan", "attachments": [file.json(server.address)]}]
    event = await heard_of(server, adapter, lambda: server._tell("MESSAGE_CREATE", message))
    assert event.quotes == (Quote(kind="forward", text="the plan", id="77"),)
    assert [file.name for file in event.attachments] == ["plan.txt"]
    assert not event.replies_to_bot


async def test_text_in_components_is_read(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """A message that is made of components has no content: its texts are read wherever they stand."""
    section = {"type": 9, "components": [{"type": 10, "id": 3, "content": "in a section"}]}
    button = {"type": 2, "style": 2, "custom_id": "x", "label": "x"}
    inner = [{"type": 10, "id": 2, "content": "in a box"}, section | {"accessory": button}]
    theirs = server.world.add_message(server.general, server.world.add_user("Robot", is_bot=True), "")
    theirs.components = [{"type": 10, "id": 1, "content": "above"}, {"type": 17, "components": inner}]
    event = await heard_of(
        server, adapter, lambda: server.say(server.general, f"{server.bot.mention} hm?", reply_to=theirs.id)
    )
    assert event.quotes[0].text == "above\n\nin a box\n\nin a section"


# ---- what hangs at it


async def test_files_are_told_by_their_message(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """An attachment is known by channel, message and its own id, never by its address; it needs no words."""
    direct = server.world.add_direct(server.alice)
    message = server.world.add_message(direct, server.alice, "")
    file = server.world.attach(message, "cat.png", "image/png; a=b", b"12345")
    event = await heard_of(server, adapter, lambda: server._tell("MESSAGE_CREATE", message))
    id = f"{direct.id}/{message.id}/{file.id}"
    assert event.attachments == (Attachment(id=id, name="cat.png", media_type="image/png", size=5),)


async def test_a_message_of_no_words_is_none(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Stickers and embeds alone, and what Discord keeps from us, are dropped; a bare mention is not."""
    heard = Heard()
    async with running(adapter, heard):
        message = server.say(server.general, "")
        message.embeds = [{"type": "rich", "title": "look"}]
        server._tell("MESSAGE_CREATE", message)
        server.say(server.general, server.bot.mention)
        await heard.message()
    assert [event.text for event in heard.messages] == [""]


# ---- who says it, and where


@pytest.mark.parametrize(("permissions", "is_admin"), [(MANAGE_GUILD, True), (MANAGE_CHANNELS, True), (1 << 11, False)])
async def test_who_may_manage_is_an_admin(
    server: DiscordServer, adapter: DiscordAdapter, permissions: int, is_admin: bool
) -> None:
    """The roles of a member tell whether they may manage the guild or its channels."""
    bob = server.world.add_user("Bob")
    server.world.grant(bob, permissions)
    event = await heard_of(server, adapter, lambda: server.ask(server.general, "may I?", author=bob))
    assert (event.author.name, event.author.is_admin) == ("Bob", is_admin)


async def test_a_forum_post_is_a_thread(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """A post in a forum is a thread whose first message has the thread's own id."""
    forum = server.world.add_channel("help", type=FORUM)
    heard = Heard()
    async with running(adapter, heard):
        id = server.world.snowflake()
        post = server.world.add_channel("how?", type=THREAD, parent=forum.id, id=id)
        server.dispatch("THREAD_CREATE", post.json() | {"newly_created": True}, post.guild)
        first = server.world.add_message(post, server.alice, f"{server.bot.mention} how?")
        first.id = id
        server._tell("MESSAGE_CREATE", first)
        event = await heard.message()
    assert event.conversation.key == f"discord:{server.world.guild}:{forum.id}:{id}"
    assert event.address.channel == id


async def test_an_unknown_thread_is_looked_up(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """A message in a thread of which we were not told belongs to its parent channel all the same."""
    heard = Heard()
    async with running(adapter, heard):
        starter = server.world.add_message(server.general, server.alice, "topic")
        thread = server.world.add_channel("t", type=THREAD, parent=server.general.id, id=starter.id)
        server.ask(thread, "here?")
        event = await heard.message()
    assert event.conversation.key == f"discord:{server.world.guild}:{server.general.id}:{thread.id}"


async def always(place: Conversation) -> bool:
    """Every question gets a thread."""
    return True


async def test_a_question_may_have_a_thread_of_its_own(server: DiscordServer, shelf: FakeShelf) -> None:
    """With a thread for each question its conversation is that thread, whose id is known before it exists."""
    adapter, heard = adapter_with(server, shelf, Options(opens_threads=always)), Heard()
    direct = server.world.add_direct(server.alice)
    async with running(adapter, heard):
        asked = server.ask(server.general, "a topic?")
        server.say(server.general, "just talk")
        thread = server.add_thread(server.general, asked)
        server.ask(thread, "more")
        server.say(direct, "between us")
        server.delete(asked)
        await heard.until(lambda: len(heard.events) == 6, "all of it")
    threads = [event.conversation.thread for event in heard.messages]
    assert threads == [asked.id, "", asked.id, ""]
    assert (heard.messages[0].address.thread, heard.messages[0].address.quote) == (asked.id, "a topic?")
    gone = [event for event in heard.events if isinstance(event, MessageDeleted)]
    assert [event.conversation.thread for event in gone] == ["", asked.id]


async def test_a_guild_that_is_not_listed_gets_one_notice(server: DiscordServer, shelf: FakeShelf) -> None:
    """Who asks in a guild that is not served is told once, politely, whoever it is; nothing is taken there."""
    options, heard = Options(workspaces=frozenset({"1"})), Heard()
    direct = server.world.add_direct(server.alice)
    for _ in range(2):
        async with running(adapter_with(server, shelf, options), heard):
            server.say(server.general, "talk")
            server.ask(server.general, "hello?")
            await server.until(lambda: server.general.by(server.bot), "a notice")
            server.delete(server.ask(server.general, "hello?"))
            server.say(direct, "but here?")
            await heard.message()
    assert [message.content for message in server.general.by(server.bot)] == [NotAllowed().notice]
    assert {event.is_direct for event in heard.messages} == {True}
    assert shelf.expiries[f"refused:{server.world.guild}"] > 86_400


async def test_who_is_refused_is_told(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Where the intake refuses a question, its notice is the answer."""
    heard = Heard(errors=[NotAllowed("list", notice="Not you.")])
    async with running(adapter, heard):
        server.ask(server.general, "me?")
        await server.until(lambda: server.general.by(server.bot), "a notice")
    assert [message.content for message in server.general.by(server.bot)] == ["Not you."]


# ---- what becomes of it


def changes(heard: Heard) -> list[Event]:
    return [event for event in heard.events if not isinstance(event, MessageReceived)]


async def test_an_edit_is_told_with_the_new_text(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """An edit is the whole message as it stands now, said when it was written."""
    heard = Heard()
    async with running(adapter, heard):
        asked = server.ask(server.general, "what is teh time?")
        first = await heard.message()
        server.edit(asked, f"{server.bot.mention} what is the time?")
        await heard.until(lambda: changes(heard), "an edit")
    [edited] = changes(heard)
    assert isinstance(edited, MessageEdited)
    assert (edited.message.id, edited.message.text, edited.message.at) == (first.id, "what is the time?", first.at)


async def test_previews_and_pins_are_no_edits(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Discord tells of them in the same way: only a text that has just changed is an edit, and it is one once."""
    heard = Heard()
    async with running(adapter, heard):
        asked = server.ask(server.general, "https://example.com")
        server._tell("MESSAGE_UPDATE", asked)
        server.edit(asked, f"{server.bot.mention} https://example.org")
        server._tell("MESSAGE_UPDATE", asked)
        old = server.ask(server.general, "from yesterday")
        old.edited_at = server.clock() - 86_400
        server._tell("MESSAGE_UPDATE", old)
        server.ask(server.general, "done")
        await heard.message(3)
    assert [event.message.text for event in changes(heard) if isinstance(event, MessageEdited)] == [
        "https://example.org"
    ]


async def test_deletions_are_told_one_by_one(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """A deletion tells the conversation, in a thread too; many at once are many."""
    heard, general = Heard(), server.general
    async with running(adapter, heard):
        messages: list[Message] = [server.say(general, word) for word in ("one", "two", "three")]
        thread = server.add_thread(general, messages[0])
        inside = server.say(thread, "four")
        await heard.message(4)
        server.delete(inside)
        ids = [message.id for message in messages[1:]]
        bulk = {"ids": ids, "channel_id": general.id, "guild_id": general.guild}
        server.dispatch("MESSAGE_DELETE_BULK", bulk, general.guild)
        await heard.until(lambda: len(changes(heard)) == 3, "three deletions")
    told = [(event.id, event.conversation.thread) for event in changes(heard) if isinstance(event, MessageDeleted)]
    assert sorted(told) == sorted([(inside.id, thread.id), *((id, "") for id in ids)])


async def test_an_edit_waits_for_its_message(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """While the store is away, an edit and a deletion stay behind the message that they change."""
    heard = Heard(errors=[StoreUnavailable(retry_in_s=0.01) for _ in range(3)])
    async with running(adapter, heard):
        asked = server.ask(server.general, "one")
        server.edit(asked, f"{server.bot.mention} two")
        server.delete(asked)
        await heard.until(lambda: len(heard.events) == 3, "all three")
    assert [event.type for event in heard.events] == ["message", "edit", "delete"]


async def test_channels_do_not_wait_for_each_other(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """A message that cannot be taken yet holds up its own channel alone."""
    other = server.world.add_channel("other")
    heard = Heard(errors=[StoreUnavailable(retry_in_s=30.0)])
    async with running(adapter, heard):
        server.ask(server.general, "stuck")
        server.ask(server.general, "behind it")
        await heard.until(lambda: heard.refused, "a refusal")
        server.ask(other, "elsewhere")
        await heard.message()
    assert [event.text for event in heard.messages] == ["elsewhere"]
