"""The one composition root: builds the parts from the settings, runs them, drains them. All wiring is here."""

import argparse
import asyncio
import fcntl
import logging
import os
import platform
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from bot.channels import Channels
from bot.conversation import Kit
from bot.errors import BotError, SettingsInvalid, texts
from bot.inbox import Inbox
from bot.limits import Limits
from bot.model.chain import Chain
from bot.model.faults import Patience
from bot.model.providers import Provider, main_provider
from bot.ports import Adapter, Files, Scrollback
from bot.settings import Rate, Settings
from bot.shelf import RedisShelf
from bot.store import Store
from bot.stored import warm
from bot.worker import ALIVE, Worker
from handlers.intake import EventIntake
from handlers.table import SPECS, suggested
from handlers.turns import handle

if TYPE_CHECKING:
    from adapters.discord.options import Options
    from adapters.slack.options import Options as SlackOptions
    from bot.doctor import Finding

log = logging.getLogger(__name__)
Tell = Callable[[str], None]

Platforms = Callable[[Store, Channels], Sequence[Adapter]]
"""Makes the adapters over an open store, which is where they keep what they must."""
Choice = tuple[Settings, Chain, str]
"""The settings with the budgets that the chosen model bears, the way to it, and the line that introduces it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The running parts."""

    worker: Worker
    intake: EventIntake
    adapters: Mapping[str, Adapter]

    async def run(self, ready: Callable[[], None]) -> int:
        """Serve until SIGTERM, SIGINT or the end of every adapter (the console's input); then drain.

        The exit status: 1 where wrong settings keep every adapter off.
        """
        asked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._asked_to_stop, asked)
        async with asyncio.TaskGroup() as group:
            working = group.create_task(self.worker.run())
            watching = group.create_task(self.worker.kit.channels.watch())
            lives = [group.create_task(self._live(adapter, ready)) for adapter in self.adapters.values()]
            until: tuple[asyncio.Future[Any], ...] = (asked, asyncio.gather(*lives, return_exceptions=True))
            await asyncio.wait(until, return_when=asyncio.FIRST_COMPLETED)
            is_off = all(life.done() and life.result() for life in lives)
            # Intake ends first, then the turns drain; the connections for replies stay open until the very end.
            for life in lives:
                life.cancel()
            await asyncio.wait(lives)
            self.worker.stop()
            await working
            watching.cancel()
        for adapter in self.adapters.values():
            await adapter.close()
        return int(is_off)

    def _asked_to_stop(self, asked: asyncio.Future[None]) -> None:
        """The first signal asks to stop, a second one hands the running turns back at once."""
        if asked.done():
            self.worker.hand_back()
        else:
            asked.set_result(None)

    async def _live(self, adapter: Adapter, ready: Callable[[], None]) -> bool:
        """An adapter's life: a failure stops this platform alone and is tried again, unless settings must change.

        True where they must; false where the platform has no more to tell.
        """
        pause_s = 1.0
        while True:
            started = time.monotonic()
            try:
                await adapter.run(self.intake, ready)
                return False
            except SettingsInvalid as error:
                log.error("%s is off: %s", adapter.platform, error)
                return True
            except BotError as error:
                log.warning("%s is not connected (%s); trying again in %.0f s", adapter.platform, error, pause_s)
            except Exception:  # one of the two broad ones: around an adapter's life
                log.exception("%s failed; trying again in %.0f s", adapter.platform, pause_s)
            held_s = time.monotonic() - started
            await asyncio.sleep(pause_s)
            pause_s = 1.0 if held_s > 300 else min(300.0, pause_s * 2)


@asynccontextmanager
async def assembled(settings: Settings, chain: Chain, platforms: Platforms) -> AsyncIterator[App]:
    """All parts over an open store, closed in the right order: the embedded store last.

    For a community a store that is away is waited for; a person who waits in a terminal gets StoreUnavailable.
    """
    async with AsyncExitStack() as stack:
        inbox = await stack.enter_async_context(opened(settings, is_patient=bool(settings.platforms)))
        if settings.redis_url:
            from bot.doctor import examine_store

            for finding in await examine_store(settings.redis_url):
                if finding.level != "ok":
                    log.warning("%s", finding)
        warm()
        stack.push_async_callback(chain.close)
        # The client library loads beside the start, so that neither the start nor the first question waits for it.
        warming = asyncio.create_task(chain.warm())
        stack.push_async_callback(asyncio.wait, [warming])
        channels = Channels(inbox.store, settings)
        by_platform = {adapter.platform: adapter for adapter in platforms(inbox.store, channels)}
        kit = Kit(
            inbox=inbox,
            model=chain,
            limits=Limits(inbox.store, settings, time.time),
            settings=settings,
            channels=channels,
            seeing=chain.seeing,
            files={name: adapter for name, adapter in by_platform.items() if isinstance(adapter, Files)},
            scrollback={name: adapter for name, adapter in by_platform.items() if isinstance(adapter, Scrollback)},
        )
        worker = Worker(kit, by_platform, handle, failure_limit=5 if settings.platforms else 1)
        yield App(worker=worker, intake=EventIntake(inbox=inbox, channels=channels), adapters=by_platform)


@asynccontextmanager
async def chosen_model(settings: Settings, tell: Tell) -> AsyncIterator[Choice]:
    """The configured model; else, never for a community, one that listens on this machine; else the demo model."""
    if not settings.platforms:
        # Whoever sits at the terminal runs this Parley: no list and no limit stands between.
        free = {"person_rate": Rate(count=0, per_s=1.0), "workspace_daily_tokens": 0, "direct_messages": "on"}
        lists = ("allowed_people", "allowed_channels", "allowed_workspaces")
        settings = settings.model_copy(update={**free, **dict.fromkeys(lists, ())})
    if settings.has_model:
        known = providers(settings)
        yield _choice(settings, known, f"Model: {settings.model or 'the default of ' + known[0].base_url}")
        return
    if settings.platforms:
        raise SettingsInvalid([texts()["no_model"]])
    if settings.probe:
        from bot.probe import probe

        if found := await probe(wanted=settings.model):
            line = f"Model: {found.model} of {found.name}, found at {found.base_url} (PARLEY_PROBE=0 turns this off)"
            local = main_provider(base_url=found.base_url, wire="chat")
            yield _choice(settings.model_copy(update={"model": found.model}), [local], line)
            return
    from bot.demo import ANSWER_TOKENS, PROMPT_TOKENS, DemoModel

    async with DemoModel(tell) as demo:
        local = main_provider(base_url=demo.base_url, key=demo.key, wire="chat")
        small = {"model": demo.model, "prompt_tokens": PROMPT_TOKENS, "answer_tokens": ANSWER_TOKENS}
        yield _choice(settings.model_copy(update=small), [local], texts()["demo"])


def providers(settings: Settings) -> list[Provider]:
    """The model servers of the settings, the main one first."""

    main = main_provider(base_url=settings.openai_base_url, key=_secret(settings.openai_api_key), wire=settings.wire)
    named = settings.providers.items()
    return [main, *(Provider(name=name, base_url=p.base_url, key=_secret(p.key), wire=p.wire) for name, p in named)]


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value else ""


async def run(settings: Settings, tell: Tell) -> int:
    """`parley run`: the configured platforms or, where none is, the console."""
    if not settings.platforms:
        if os.environ.get("PARLEY_CONTAINER"):
            raise SettingsInvalid(["No platform is configured. Example: DISCORD_TOKEN=MTk4NjIyNDgz..."])
        return await chat(settings, tell)
    started = time.monotonic()
    platforms = partial(_platforms, settings)
    async with chosen_model(settings, tell) as (bearing, chain, line), assembled(bearing, chain, platforms) as app:
        return await app.run(lambda: log.info("ready after %.2f s. %s", time.monotonic() - started, line))


async def chat(settings: Settings, tell: Tell) -> int:
    """`parley chat`: the console, in the terminal or line by line from a pipe."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (settings.data_dir / "console.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SettingsInvalid(["Another `parley chat` runs here. End it, or use `parley ask`."]) from None
        return await _in_terminal(settings, tell, console_platform())


async def ask(settings: Settings, tell: Tell, question: str) -> int:
    """`parley ask`: one question through the whole pipeline; 0 only for a whole answer."""
    # Its scripts let all that is kept under such a name expire within the hour.
    return await _in_terminal(settings, tell, f"ask-{os.urandom(6).hex()}", question)


async def evaluate(settings: Settings, tell: Tell, options: argparse.Namespace) -> int:
    """`parley eval`: a suite of cases. Without fallbacks, which would answer in the name of the model that is asked."""
    from bot.evaluation import command
    from bot.evaluation.run import Plan
    from bot.evaluation.texts import texts as told

    suite, persona, out = command.chosen(options)
    alone = {"discord_token": None, "slack_bot_token": None, "fallback_models": ()}
    async with chosen_model(settings.model_copy(update=alone), tell) as (bearing, chain, line):
        tell(line)
        try:
            models = tuple(dict.fromkeys(options.model)) or (await chain.default_model(),)
            strange = {*models, options.judge or models[0], options.embedder or models[0]} - {bearing.model}
            if line == texts()["demo"] and strange:
                raise SettingsInvalid([told("told")["demo"].format(models=", ".join(sorted(strange)))])
            plan = Plan(
                suite=suite,
                models=models,
                max_tokens=bearing.answer_tokens,
                system=bearing.system_prompt,
                persona=persona,
                judge=options.judge,
                repeat=options.repeat,
                concurrency=options.concurrency,
            )
            embed = partial(chain.embed, model=options.embedder)
            return await command.evaluate(plan, chain, embed, out, options.min_pass, tell)
        finally:
            await chain.close()


async def _in_terminal(settings: Settings, tell: Tell, name: str, question: str | None = None) -> int:
    from adapters.console.client import Console

    # Whoever talks in a terminal talks to no community, whatever tokens are set.
    settings = settings.model_copy(update=dict.fromkeys(("discord_token", "slack_bot_token")))
    console = Console(name=name, call_s=settings.call_s, question=question, commands=SPECS)
    async with (
        chosen_model(settings, tell) as (bearing, chain, line),
        assembled(bearing, chain, lambda store, channels: [console]) as app,
    ):
        if question is None:
            tell(line)
        await app.run(lambda: None)
    return console.exit_code


def console_platform() -> str:
    """The console's platform name, one for each host: hosts that share a store must not take each other's turns."""
    host = "".join(sign for sign in platform.node().lower() if sign.isalnum() or sign == "-")
    return f"console-{host or 'local'}"


@asynccontextmanager
async def opened(settings: Settings, *, is_patient: bool = False) -> AsyncIterator[Inbox]:
    """The store alone. One that is away is waited for, or else raises StoreUnavailable."""
    from bot.embedded import Embedded

    async with nullcontext(settings.redis_url) if settings.redis_url else Embedded(settings.data_dir) as url:
        store = Store(url, shards=settings.shards)
        try:
            await (store.surely(store.open) if is_patient else store.open())
            yield Inbox(store, settings)
        finally:
            await store.close()


async def is_alive(settings: Settings) -> bool:
    """Whether a Parley of this host has shown a sign of life to the store within its last seconds."""
    async with opened(settings) as inbox:
        return bool(await inbox.store.command("EXISTS", ALIVE + platform.node()))


def _platforms(settings: Settings, store: Store, channels: Channels) -> list[Adapter]:
    # Each adapter's library is loaded only where its token is set.
    found: list[Adapter] = []
    if settings.discord_token:
        from adapters.discord.client import DiscordAdapter

        token = settings.discord_token.get_secret_value()
        shelf, base = RedisShelf(store, "discord"), settings.discord_api_base
        options = _discord_options(settings, channels)
        found.append(DiscordAdapter(token, shelf, base, call_s=settings.call_s, options=options))
    if settings.slack_bot_token:
        from adapters.slack.client import SlackAdapter

        shelf = RedisShelf(store, "slack")
        found.append(SlackAdapter(_slack(settings, store), shelf, call_s=settings.call_s))
    return found


async def examine(settings: Settings, channels: Sequence[str]) -> "list[Finding]":
    """What the platforms say when they are asked; `channels` are ids with the platform first, as `discord:200`."""
    from bot.doctor import Finding

    found: list[Finding] = []
    if settings.discord_token:
        from adapters.discord.examine import examine as examine_discord

        ids = [channel.partition(":")[2] for channel in channels if channel.startswith("discord:")]
        token, base = settings.discord_token.get_secret_value(), settings.discord_api_base
        found += [Finding("Discord", *look) for look in await examine_discord(token, base, ids, SPECS)]
    if settings.slack_bot_token:
        from adapters.slack.doctor import examine as examine_slack

        found += [Finding("Slack", *look) for look in await examine_slack(_slack(settings))]
    return found


def manifest(platform: str, *, is_minimal: bool, url: str) -> tuple[str, str]:
    """What an app of this platform asks for, and the link that creates it."""
    from adapters.slack.manifest import link
    from adapters.slack.manifest import manifest as written

    text = written(is_minimal=is_minimal, url=url)
    return text, link(text)


def _slack(settings: Settings, store: Store | None = None) -> "SlackOptions":
    from adapters.slack.options import Options

    return Options(
        bot_token=_secret(settings.slack_bot_token),
        app_token=_secret(settings.slack_app_token),
        signing_secret=_secret(settings.slack_signing_secret),
        api_url=settings.slack_api_url,
        http_host=settings.http_host,
        http_port=settings.http_port,
        sockets=settings.slack_sockets,
        channels=settings.slack_channels,
        people_ring=settings.slack_people_ring,
        has_one_session=settings.slack_one_session,
        guests=settings.slack_guests,
        strangers=frozenset(settings.slack_strangers),
        prompts=settings.slack_prompts,
        facts=_facts(settings),
        commands=SPECS,
        takes_part=Inbox(store, settings).takes_part if store else None,
    )


def _facts(settings: Settings) -> tuple[str, ...]:
    """What the people of a workspace may know of how their Parley is set."""
    rate, tokens = settings.person_rate, settings.workspace_daily_tokens
    told = [f"Model: {settings.model or 'the default one'}"]
    told += [f"Questions of one person: {rate.count} in {rate.per_s / 60:.0f} minutes"] if rate.count else []
    told += [f"Tokens of this workspace: {tokens:,} a day"] if tokens else []
    return (*told, f"Conversations are kept for {settings.transcript_days} days")


def _discord_options(settings: Settings, channels: Channels) -> "Options":
    from adapters.discord.options import Options

    def ids(listed: Sequence[str]) -> frozenset[str]:
        return frozenset(id.partition(":")[2] for id in listed if id.startswith("discord:"))

    shards, _, count = settings.discord_shards.partition("/")
    return Options(
        shards=tuple(int(shard) for shard in shards.split(",") if shard),
        shard_count=int(count) if count else None,
        catch_up_s=settings.discord_catch_up_s,
        opens_threads=channels.opens_threads,
        commands=SPECS,
        suggest=partial(suggested, settings, channels),
        ping_asker=settings.ping_asker,
        workspaces=ids(settings.allowed_workspaces) if settings.allowed_workspaces else None,
        people=ids(settings.allowed_people),
    )


def _choice(settings: Settings, providers: list[Provider], introduction: str) -> Choice:
    patience = Patience(first_token_s=settings.first_token_s, idle_s=settings.idle_s)
    names = {"model": settings.model, "vision": settings.vision_model}
    chain = Chain(providers, **names, fallbacks=settings.fallback_models, patience=patience)
    return settings, chain, introduction
