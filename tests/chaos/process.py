"""The process under test: all of Parley over the platform of these tests or Slack, and a hook that kills it.

By hand: `python -m tests.chaos.process --store URL --platform URL --model URL --crash created:2`.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from multiprocessing.connection import Connection

from pydantic import SecretStr
from uvloop import new_event_loop

from adapters.discord.client import DiscordAdapter
from adapters.discord.desk import BUCKETS, Bucket
from adapters.discord.options import Options as DiscordOptions
from adapters.slack.client import SlackAdapter
from adapters.slack.options import Options as SlackOptions
from bot.app import assembled, chosen_model
from bot.channels import Channels
from bot.crashpoints import CrashPoint, on_reach
from bot.events import Conversation
from bot.ports import Adapter
from bot.settings import Rate, Settings
from bot.shelf import RedisShelf
from bot.store import Store
from handlers.table import SPECS
from tests.chaos.adapter import ChaosAdapter
from tests.chaos.script import LIMITS, SLACK_LIMITS
from tests.servers.discord import API, TOKEN
from tests.servers.slack import APP_TOKEN, BOT_TOKEN

SHARDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How one process runs. `kind` is the platform that it serves: "chaos", "discord", or "native" or "edit" for how
    answers grow in the channels of a Slack; `threads`: one a question on Discord.

    `crash` and `sleep` are "point:count": SIGKILL or SIGSTOP at the count-th reach of it.
    """

    store: str
    platform: str
    model: str
    kind: str = "chaos"
    characters: int = 400
    threads: int = 0
    name: str = "p0"
    lease: float = 0.5
    call: float = 0.3
    grace: float = 0.3
    collect: int = 1
    crash: str = ""
    sleep: str = ""
    log: str = ""


def run(options: Options, sleeps: Connection | None = None) -> None:
    """Serve until SIGTERM, or death. Before it sleeps it says so over the connection."""
    if options.log:
        sys.stderr = open(options.log, "a", buffering=1)  # noqa: SIM115 - to the end of the process
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=f"%(asctime)s {options.name} %(message)s")
    on_reach(_hook(options, sleeps))
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve(options))


async def _serve(options: Options) -> None:
    settings = Settings(
        # Of a platform that is not started: a community's rules hold where one is configured.
        discord_token=SecretStr("unused"),
        redis_url=options.store,
        openai_base_url=options.model,
        model="chaos",
        wire="chat",
        shards=SHARDS,
        lease_s=options.lease,
        call_s=options.call,
        grace_s=options.grace,
        collect=bool(options.collect),
        person_rate=Rate(count=0, per_s=1.0),
        workspace_daily_tokens=0,
        prompt_tokens=100_000,
    )
    async with chosen_model(settings, lambda line: None) as (bearing, chain, _):
        async with assembled(bearing, chain, partial(_platforms, options)) as app:
            await app.run(lambda: None)


def _platforms(options: Options, store: Store, channels: Channels) -> list[Adapter]:
    match options.kind:
        case "discord":
            limits = replace(LIMITS, characters=options.characters)
            # Deaths are what is tested, not the waits that Discord asks for between writes.
            BUCKETS.update(dict.fromkeys(BUCKETS, Bucket(per_s=50.0, burst=20, debt=20)))
            shelf, base = RedisShelf(store, "discord"), f"{options.platform}{API}"
            rules = DiscordOptions(opens_threads=_always if options.threads else None, commands=SPECS)
            return [DiscordAdapter(TOKEN, shelf, base, call_s=options.call, limits=limits, options=rules)]
        case "native" | "edit" as grown:
            how = SlackOptions(bot_token=BOT_TOKEN, app_token=APP_TOKEN, api_url=options.platform, channels=grown)
            return [SlackAdapter(how, RedisShelf(store, "slack"), call_s=options.call, limits=SLACK_LIMITS)]
    return [ChaosAdapter(options.platform, options.name, options.call)]


async def _always(place: Conversation) -> bool:
    return True


def _hook(options: Options, sleeps: Connection | None) -> Callable[[CrashPoint], None]:
    reached = dict.fromkeys(CrashPoint, 0)

    def reach(point: CrashPoint) -> None:
        reached[point] += 1
        now = f"{point}:{reached[point]}"
        if now == options.crash:
            os.kill(os.getpid(), signal.SIGKILL)
        if now == options.sleep:
            if sleeps is not None:
                sleeps.send(now)
            os.kill(os.getpid(), signal.SIGSTOP)

    return reach


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.process", description=__doc__)
    for field in fields(Options):
        kind = type(field.default) if isinstance(field.default, float | int) else str
        is_needed = field.name in ("store", "platform", "model")
        default = None if is_needed else field.default
        parser.add_argument(f"--{field.name}", type=kind, default=default, required=is_needed)
    run(Options(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
