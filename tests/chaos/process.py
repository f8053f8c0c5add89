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
from dataclasses import dataclass, fields
from multiprocessing.connection import Connection
from typing import Literal

from pydantic import SecretStr
from uvloop import new_event_loop

from adapters.slack.client import SlackAdapter
from adapters.slack.options import Options as SlackOptions
from bot.app import assembled, chosen_model
from bot.crashpoints import CrashPoint, on_reach
from bot.ports import Adapter
from bot.settings import Rate, Settings
from bot.shelf import RedisShelf
from bot.store import Store
from tests.chaos.adapter import ChaosAdapter
from tests.chaos.script import SLACK_LIMITS
from tests.servers.slack import APP_TOKEN, BOT_TOKEN

SHARDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How one process runs. `crash` and `sleep` are "point:count": SIGKILL or SIGSTOP at the count-th reach of it.

    `slack` is how answers grow in the channels of a Slack at `platform`; empty: that is the platform of these tests.
    """

    store: str
    platform: str
    model: str
    name: str = "p0"
    lease: float = 0.5
    call: float = 0.3
    grace: float = 0.3
    collect: int = 1
    crash: str = ""
    sleep: str = ""
    log: str = ""
    slack: str = ""


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
        async with assembled(bearing, chain, lambda store: [_adapter(options, store)]) as app:
            await app.run(lambda: None)


def _adapter(options: Options, store: Store) -> Adapter:
    if not options.slack:
        return ChaosAdapter(options.platform, options.name, options.call)
    channels: Literal["native", "edit"] = "native" if options.slack == "native" else "edit"
    how = SlackOptions(bot_token=BOT_TOKEN, app_token=APP_TOKEN, api_url=options.platform, channels=channels)
    return SlackAdapter(how, RedisShelf(store, "slack"), call_s=options.call, limits=SLACK_LIMITS)


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
