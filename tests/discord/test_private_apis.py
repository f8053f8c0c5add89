"""Each use of what discord.py keeps private, by name: an upgrade that takes one away fails here."""

import discord
from discord.gateway import DiscordWebSocket
from discord.http import Route
from yarl import URL

from adapters.discord.client import DiscordAdapter
from tests.servers.discord import CONTENT_INTENT, DiscordServer
from tests.servers.harness import Heard, running


async def test_route_base_decides_where_requests_go(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """`discord.http.Route.BASE`: with `api_base` set, every request goes to that address."""
    async with running(adapter, Heard()):
        assert server.api_base == Route.BASE
        assert Route("GET", "/users/@me").url.startswith(server.address)
    assert [call.name for call in server.calls[:4]] == [
        "GET /users/@me",
        "GET /oauth2/applications/@me",
        f"PUT /applications/{server.bot.id}/commands",
        "GET /gateway/bot",
    ]


async def test_default_gateway_decides_where_new_sessions_go(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """`discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY`: with `api_base` set it is what that server's API names."""
    async with running(adapter, Heard()):
        assert URL(f"ws://127.0.0.1:{server.port}/gw/") == DiscordWebSocket.DEFAULT_GATEWAY


async def test_get_bot_gateway_names_the_gateway(server: DiscordServer, client: discord.Client) -> None:
    """`Client.http.get_bot_gateway()`: shards, address, and how many sessions may still be started."""
    shards, url, starts = await client.http.get_bot_gateway()
    assert (shards, url, starts["remaining"]) == (1, f"ws://127.0.0.1:{server.port}/gw/", 1000)


async def test_parsers_are_one_mapping_of_functions_per_client() -> None:
    """`Client._connection.parsers`: from the event's name to what reads it, looked up again for every event."""
    client = discord.AutoShardedClient(intents=discord.Intents.none())
    parsers = client._connection.parsers
    assert {"READY", "MESSAGE_CREATE"} <= parsers.keys()
    assert parsers is client._connection.parsers
    assert all(callable(parse) for parse in parsers.values())


async def test_intents_can_be_taken_back_before_the_connection(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """`Client._connection._intents`: what is taken back there is not asked of the gateway."""
    server.has_content_intent = False
    async with running(adapter, Heard()):
        assert [session.intents & CONTENT_INTENT for session in server.sessions.values()] == [0]
        assert not adapter._rest().intents.message_content


async def test_commands_are_declared_and_read_as_data(server: DiscordServer, client: discord.Client) -> None:
    """`Client.http.bulk_upsert_global_commands()` and `get_global_commands()` take and give plain JSON."""
    await client.http.bulk_upsert_global_commands(int(server.bot.id), [{"name": "ask", "type": 1}])
    [known] = await client.http.get_global_commands(int(server.bot.id))
    assert (known["name"], known["type"]) == ("ask", 1)
