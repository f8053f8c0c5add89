"""What the settings of Discord become."""

from dataclasses import replace
from pathlib import Path

import pytest

from adapters.discord.client import DiscordAdapter
from adapters.discord.options import Options
from bot import app
from bot.channels import Channels
from bot.errors import SettingsInvalid
from bot.settings import Settings
from bot.store import Store
from handlers.table import SPECS


def wired(store: Store, folder: Path, **env: str) -> Options:
    settings = Settings.load(env={"DISCORD_TOKEN": "x", **env}, env_file=None, secrets_dir=folder)
    channels = Channels(store, settings)
    [adapter] = app._platforms(settings, store, channels)
    assert isinstance(adapter, DiscordAdapter)
    options = adapter._options
    assert (options.commands, options.opens_threads) == (SPECS, channels.opens_threads)
    return replace(options, commands=(), opens_threads=None, suggest=None)


async def test_the_defaults_are_those_of_the_adapter(store: Store, tmp_path: Path) -> None:
    """Nothing set: all shards, all servers, no user install, a look back of 15 minutes."""
    assert wired(store, tmp_path) == Options()


async def test_settings_reach_the_adapter(store: Store, tmp_path: Path) -> None:
    """Ids of other platforms are none of Discord's; a list that names only others leaves it no server."""
    told = wired(
        store,
        tmp_path,
        PARLEY_DISCORD_SHARDS="0,1/4",
        PARLEY_DISCORD_CATCH_UP_S="0",
        PARLEY_PING_ASKER="on",
        PARLEY_ALLOWED_PEOPLE="discord:300,slack:U1",
        PARLEY_ALLOWED_WORKSPACES="slack:T1",
    )
    assert told == Options(
        shards=(0, 1),
        shard_count=4,
        catch_up_s=0.0,
        ping_asker=True,
        people=frozenset({"300"}),
        workspaces=frozenset(),
    )
    assert not told.serves(100)
    assert told.serves(None)


@pytest.mark.parametrize("shards", ["0", "0,1", "/4", "0/0", "a/4", "0;1/4"])
def test_shards_that_cannot_be_are_refused(tmp_path: Path, shards: str) -> None:
    """With the variable's name and an example."""
    with pytest.raises(SettingsInvalid, match=r"PARLEY_DISCORD_SHARDS.*0,1/4"):
        Settings.load(env={"PARLEY_DISCORD_SHARDS": shards}, env_file=None, secrets_dir=tmp_path)
