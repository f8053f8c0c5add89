"""`parley doctor`: looks at everything that a start needs, and says what helps where something is wrong."""

import argparse
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Literal

from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.embedded import Embedded
from bot.errors import ModelError, SettingsInvalid, StoreUnavailable
from bot.model.chain import Chain
from bot.model.faults import Patience
from bot.model.providers import Provider
from bot.ports import Finished, Message, ModelRequest
from bot.probe import probe
from bot.remedies import explain
from bot.settings import Settings

Providers = Callable[[Settings], Sequence[Provider]]
_QUESTION = ModelRequest(messages=(Message(role="user", content="Say hello."),), max_tokens=64)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found; `remedy` says what helps where something is wrong."""

    name: str
    level: Literal["ok", "warning", "failure"]
    sentence: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.level:9}{self.name}: {self.sentence}" + (f"\n{'':9}{self.remedy}" if self.remedy else "")


Platforms = Callable[[Settings, Sequence[str]], Awaitable[Sequence[Finding]]]


async def run(args: argparse.Namespace, providers: Providers, platforms: Platforms) -> int:
    """Print all findings; 1 where something keeps Parley from working.

    `providers` gives the models of the settings, `platforms` looks at the platforms and at channels that were named.
    """
    try:
        settings = Settings.load()
        findings = await examine(settings, providers)
        findings += await platforms(settings, getattr(args, "channel", None) or ())
    except SettingsInvalid as error:
        findings = [Finding("Settings", "failure", problem) for problem in error.problems]
    print(*findings, sep="\n")
    return int(any(finding.level == "failure" for finding in findings))


async def examine(settings: Settings, providers: Providers) -> list[Finding]:
    """Every look, in the order in which a start needs what it looks at. Raises SettingsInvalid."""
    place = "the store of REDIS_URL" if settings.redis_url else settings.data_dir
    platforms = ", ".join(settings.platforms) or "none is"
    findings = [Finding("Settings", "ok", f"platforms: {platforms} set; conversations are kept in {place}")]
    try:
        async with nullcontext(settings.redis_url) if settings.redis_url else Embedded(settings.data_dir) as url:
            findings += await examine_store(url)
    except StoreUnavailable as error:
        findings.append(Finding("Store", "failure", str(error)))
    model = examine_model(settings, providers(settings)) if settings.has_model else _without_model(settings)
    findings.append(await model)
    return findings


async def examine_store(url: str) -> list[Finding]:
    """Whether the store at this address answers, takes writes, keeps them and is new enough. Never raises."""
    client = Redis.from_url(url, socket_timeout=5.0, socket_connect_timeout=5.0)
    try:
        info = await client.info()
        await client.set("parley:doctor", "1", ex=10)
    except (RedisError, OSError) as error:
        return [Finding("Store", "failure", *explain("store", f"{type(error).__name__}: {error}"))]
    finally:
        await client.aclose()
    return list(_judge({str(name): str(value) for name, value in info.items()}))


def _judge(info: Mapping[str, str]) -> Iterator[Finding]:
    valkey, redis = info.get("valkey_version"), info.get("redis_version", "0")
    if valkey or int(redis.partition(".")[0]) >= 7:
        yield Finding("Store", "ok", f"{f'Valkey {valkey}' if valkey else f'Redis {redis}'} answers and takes writes")
    else:
        yield Finding("Store", "failure", f"Redis {redis} is too old", "Use Redis 7.0 or newer, or any Valkey.")
    if info.get("aof_enabled") == "0":
        yield Finding("Persistence", "warning", "a crash loses what was said last", "CONFIG SET appendonly yes")
    policy, remedy = info.get("maxmemory_policy", "noeviction"), "CONFIG SET maxmemory-policy noeviction"
    if policy != "noeviction" and info.get("maxmemory") != "0":
        yield Finding("Eviction", "failure", f"once full, the store forgets ({policy})", remedy)


async def examine_model(settings: Settings, providers: Sequence[Provider]) -> Finding:
    """Whether the model answers a tiny question, and whether its end is announced. Never raises."""
    patience = Patience(first_token_s=settings.first_token_s, idle_s=settings.idle_s)
    models = Chain(providers, model=settings.model, fallbacks=settings.fallback_models, patience=patience)
    listed = dict[str, str]()
    try:
        [ended] = [event async for event in models.stream(_QUESTION) if isinstance(event, Finished)]
        name, _, model = ended.model.partition("/")
        with suppress(ModelError):  # not every server lists its models
            listed = await models.list_models({one.name: one for one in providers}[name])
    except ModelError as error:
        return Finding("Model", "failure", str(error), "Check OPENAI_API_KEY, OPENAI_BASE_URL and PARLEY_MODEL.")
    finally:
        await models.close()
    if ended.tried:
        return Finding("Model", "warning", f"only the fallback {ended.model} answers", "; ".join(ended.tried))
    if date := listed.get(model):
        return Finding("Model", "warning", f"{ended.model} answers until {date}", "Set PARLEY_MODEL to a newer one.")
    return Finding("Model", "ok", f"{ended.model} answers")


async def _without_model(settings: Settings) -> Finding:
    remedy = "Add to .env: OPENAI_API_KEY=sk-... (or OPENAI_BASE_URL=... and PARLEY_MODEL=...)"
    if settings.platforms:
        return Finding("Model", "failure", "none is set, and the demo model does not speak to communities", remedy)
    found = await probe(wanted=settings.model) if settings.probe else None
    who = f"{found.model} of {found.name}, which runs on this machine" if found else "the tiny demo model"
    return Finding("Model", "warning", f"none is set; you would talk to {who}", remedy)
