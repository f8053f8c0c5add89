"""The fake of Discord itself, where the adapter's tests do not show that it speaks as Discord does."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import discord
import pytest

from tests.servers.common import Clock, in_own_process
from tests.servers.discord import API, TOKEN, DiscordServer


class Listener(discord.AutoShardedClient):
    """A client of discord.py as it comes, that keeps what it is told."""

    def __init__(self, intents: discord.Intents) -> None:
        super().__init__(intents=intents, guild_ready_timeout=0.05)
        self.messages: asyncio.Queue[discord.Message] = asyncio.Queue()
        self.interactions: asyncio.Queue[discord.Interaction] = asyncio.Queue()

    async def on_message(self, message: discord.Message) -> None:
        self.messages.put_nowait(message)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        self.interactions.put_nowait(interaction)


@pytest.fixture
async def listener(server: DiscordServer, client: discord.Client) -> AsyncIterator[Listener]:
    """Without the intent for message content."""
    listener = Listener(discord.Intents(guilds=True, guild_messages=True, dm_messages=True))
    life = asyncio.create_task(listener.start(server.token))
    await server.until(lambda: server.sessions, "a session")
    await listener.wait_until_ready()
    yield listener
    await listener.close()
    await life


async def post(server: DiscordServer, client: discord.Client, custom_id: str) -> discord.Message:
    view = discord.ui.View(timeout=None)
    view.add_item(discord.ui.Button[discord.ui.View](label="x", custom_id=custom_id))
    return await client.get_partial_messageable(int(server.general.id)).send("press", view=view)


async def test_a_button_is_answered_once_and_in_time(
    server: DiscordServer, client: discord.Client, listener: Listener, clock: Clock
) -> None:
    """A second acknowledgement is 40060, one after three seconds 10062; after 15 minutes the token is void (50027)."""
    await post(server, client, "here")
    message = server.general.messages[-1]
    server.click(message, "here")
    interaction = await listener.interactions.get()
    await interaction.response.edit_message(content="pressed", view=None)
    assert (message.content, message.buttons) == ("pressed", [])
    told = server.interactions[str(interaction.id)]
    url = f"{server.api_base}/interactions/{told.id}/{told.token}/callback?with_response=1"
    async with aiohttp.ClientSession() as session:
        assert (await (await session.post(url, json={"type": 6})).json())["code"] == 40060
        told.kind = 0
        clock.advance(3.5)
        assert (await (await session.post(url, json={"type": 6})).json())["code"] == 10062
    clock.advance(900)
    with pytest.raises(discord.HTTPException) as caught:
        await interaction.edit_original_response(content="too late")
    assert caught.value.code == 50027


async def test_a_command_is_answered_by_a_deferred_message(server: DiscordServer, listener: Listener) -> None:
    """A slash command carries its options; what is deferred is an empty message that is edited and followed up."""
    server.command(server.general, "ask", {"question": "why?"})
    interaction = await listener.interactions.get()
    assert interaction.data is not None
    assert interaction.data.get("options") == [{"name": "question", "type": 3, "value": "why?"}]
    await interaction.response.defer(thinking=True)
    await interaction.edit_original_response(content="because")
    await interaction.followup.send("and so on")
    assert [message.content for message in server.general.messages] == ["because", "and so on"]


async def test_content_is_withheld_without_the_intent(server: DiscordServer, listener: Listener) -> None:
    """Without the intent content comes in direct messages, with a mention and with a reply that pings, else not."""
    ours = server.world.add_message(server.general, server.bot, "mine")
    server.say(server.general, "talk")
    server.ask(server.general, "mention")
    server.say(server.general, "reply", reply_to=ours.id)
    server.say(server.general, "quiet reply", reply_to=ours.id, pings=False)
    server.say(server.world.add_direct(server.alice), "direct")
    texts = [(await listener.messages.get()).content for _ in range(5)]
    assert texts == ["", f"{server.bot.mention} mention", "reply", "", "direct"]


async def test_history_is_read_in_pages(server: DiscordServer, client: discord.Client) -> None:
    """`after` gives the oldest first, page by page, `before` the newest; nonces and what was deleted stay away."""
    sent = [server.say(server.general, str(number)) for number in range(150)]
    server.delete(sent[120])
    channel = client.get_partial_messageable(int(server.general.id))
    after = [message async for message in channel.history(after=discord.Object(int(sent[0].id)), limit=None)]
    assert [message.content for message in after] == [str(number) for number in range(1, 150) if number != 120]
    before = [message.content async for message in channel.history(before=discord.Object(int(sent[3].id)), limit=2)]
    assert before == ["2", "1"]
    mine = await channel.send("mine", nonce="n")
    assert (mine.nonce, (await channel.fetch_message(mine.id)).nonce) == ("n", None)


async def test_real_limits_answer_429_to_who_does_not_heed_the_headers(server: DiscordServer, clock: Clock) -> None:
    """With real limits a bucket's sixth request in five seconds is refused, with the time to wait and a Via header."""
    server.limit, server.is_limit_real = (5, 5.0), True
    url, headers = f"{server.api_base}/channels/{server.general.id}/messages", {"Authorization": f"Bot {TOKEN}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        codes = [(await session.post(url, json={"content": "x"})).status for _ in range(6)]
        assert codes == [200] * 5 + [429]
        refused = await session.post(url, json={"content": "x"})
        assert (await refused.json())["retry_after"] == 5.0
        assert refused.headers["Via"]
        clock.advance(5.0)
        assert (await session.post(url, json={"content": "x"})).status == 200


async def test_it_runs_in_a_process_of_its_own() -> None:
    """Chaos tests start it beside the bot, talk to it over HTTP and read what a reader sees."""
    async with in_own_process("tests.servers.discord") as (address, control):
        told = await control("say", {"text": "hello"})
        state = await control("state", None)
        [message] = state["channels"][state["general"]]["messages"]
        assert (message["id"], message["author"]) == (told["id"], "Alice")
        await control("fault", {"match": "GET /users/@me", "status": 503})
        headers = {"Authorization": f"Bot {TOKEN}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            assert (await session.get(f"{address}{API}/users/@me")).status == 503
            assert (await (await session.get(f"{address}{API}/users/@me")).json())["id"] == state["bot"]
