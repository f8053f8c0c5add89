"""What the people who run Parley decide: every setting, its default and its check. Knows no part that uses it.

Read from the environment, `.env`, files that `NAME_FILE` names, and `/run/secrets`. The docstring under a field is its
text in docs/settings.md and .env.example (docs/generate_settings.py).
"""

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import Annotated, Literal

from dotenv.parser import parse_stream
from platformdirs import user_data_path
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, SettingsConfigDict
from pydantic_settings import PydanticBaseSettingsSource as Source

from bot.errors import SettingsInvalid

_PROVIDER = re.compile(r"PARLEY_PROVIDER_[A-Z0-9]+_(URL|KEY|WIRE)")
_EXAMPLES = {"URL": "URL=https://api.groq.com/openai/v1", "KEY": "KEY=gsk_...", "WIRE": "WIRE=chat"}
_SLACK = {"slack_bot_token", "slack_app_token", "slack_signing_secret"}
_UNSHOWN = re.compile(r"\w*(TOKEN|KEY|SECRET|URL|BASE)")
# The image sets the first; Kubernetes puts the others into every container beside a Service that is called "parley".
_NOT_SETTINGS = re.compile(r"PARLEY_(CONTAINER|SERVICE_(HOST|PORT)\w*|PORT|PORT_\d+_\w+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`count` questions in `per_s` seconds; a count of 0 means no limit."""

    count: int
    per_s: float


def _rate(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d+)/([1-9]\d*|)([smhd])|0", value)
    if not match:
        raise ValueError("should be a count, a slash and a time in s, m, h or d; or 0 for no limit")
    unit_s = {"s": 1, "m": 60, "h": 3600, "d": 86400}[match[3] or "s"]
    return Rate(count=int(match[1] or 0), per_s=float(int(match[2] or 1) * unit_s))


def _listed(value: object) -> object:
    return tuple(dict.fromkeys(re.findall(r"[^\s,]+", value))) if isinstance(value, str) else value


def _prompts(value: object) -> object:
    return tuple(filter(None, map(str.strip, value.split("|")))) if isinstance(value, str) else value


def _matching(pattern: str, wanted: str) -> AfterValidator:
    def check(value: str | SecretStr) -> str | SecretStr:
        if not re.fullmatch(pattern, value if isinstance(value, str) else value.get_secret_value()):
            raise ValueError(f"should be {wanted}")
        return value

    return AfterValidator(check)


Url = Annotated[str, _matching(r"https?://[^\s/]\S*", "an address with http:// or https://")]
StoreUrl = Annotated[str, _matching(r"(rediss?|unix)://\S+", "an address with redis:// or unix://")]
Key = Annotated[SecretStr, _matching(r"\S+", "one word without spaces")]
BotToken = Annotated[SecretStr, _matching(r"(xoxe\.)?xoxb-\S+", "a bot token, which begins with xoxb-")]
AppToken = Annotated[SecretStr, _matching(r"xapp-\S+", "an app-level token, which begins with xapp-")]
ShardIds = Annotated[str, _matching(r"(\d+(,\d+)*/[1-9]\d*)?", "this process's shards, a slash and how many there are")]
PlatformId = Annotated[str, _matching(r"(discord|slack|console):\S+", "ids with discord:, slack: or console: first")]
Ids = Annotated[tuple[PlatformId, ...], BeforeValidator(_listed)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Prompts = Annotated[tuple[str, ...], BeforeValidator(_prompts), Field(max_length=4)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
# The main model server has one of these two names.
ProviderName = Annotated[str, _matching(r"(?!(openai|default)$)\w+", "another name than openai or default")]
Level = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(lambda level: str(level).upper())]
Wire = Literal["auto", "responses", "chat"]


class Provider(BaseModel, frozen=True, validate_by_name=True):
    """A named model server: what `PARLEY_PROVIDER_<NAME>_URL`, `_KEY` and `_WIRE` say."""

    base_url: Url = Field(validation_alias="url")
    key: Key | None = None
    wire: Wire = "auto"


class Settings(BaseSettings):
    """All settings. `Settings()` is the defaults alone; `Settings.load()` reads what is configured."""

    model_config = SettingsConfigDict(
        env_prefix="PARLEY_", enable_decoding=False, frozen=True, validate_by_name=True, loc_by_alias=False
    )

    discord_token: Key | None = Field(None, validation_alias="DISCORD_TOKEN", examples=["MTk4NjIyNDgz..."])
    """The bot token of your Discord application."""
    slack_bot_token: BotToken | None = Field(None, validation_alias="SLACK_BOT_TOKEN", examples=["xoxb-1234-..."])
    """The bot token of your Slack app (OAuth & Permissions)."""
    slack_app_token: AppToken | None = Field(None, validation_alias="SLACK_APP_TOKEN", examples=["xapp-1-A012-..."])
    """The app-level token with `connections:write`: Parley then connects by Socket Mode and needs no public address."""
    slack_signing_secret: Key | None = Field(None, validation_alias="SLACK_SIGNING_SECRET", examples=["8f742231..."])
    """The signing secret: without `SLACK_APP_TOKEN`, Slack's requests are taken over HTTP at `/slack/events`."""
    discord_api_base: Url = Field("https://discord.com/api/v10", validation_alias="DISCORD_API_BASE")
    """Base address of Discord's REST API; the gateway's address comes from there."""
    slack_api_url: Url = Field("https://slack.com/api/", validation_alias="SLACK_API_URL")
    """Base address of Slack's Web API."""
    slack_sockets: int = Field(2, ge=1, le=10)
    """Socket Mode connections of one process. Slack tells each event to one of them, and allows ten for an app."""
    slack_channels: Literal["native", "edit"] = "native"
    """How answers grow in channels: as a stream that its asker alone sees growing, or by edits that everybody sees."""
    slack_people_ring: bool = False
    """Notify the people whom an answer mentions; channels and groups are never notified."""
    slack_one_session: bool = False
    """Take a direct message on Slack as one conversation; off means one for each of its threads."""
    slack_guests: bool = False
    """Answer guests of the workspace."""
    slack_strangers: Names = Field((), examples=["T0PARTNER,U0CONSULTANT"])
    """Workspaces and people of other companies, met over Slack Connect, that are answered all the same."""
    slack_prompts: Prompts = Field((), examples=["What can you do? | Write a haiku about deadlines"])
    """Up to four questions that are suggested in Slack's Messages tab, with a `|` between them."""
    http_host: str = "127.0.0.1"
    """Address that requests over HTTP are taken at; in a container `0.0.0.0`."""
    http_port: int = Field(3000, ge=1, le=65_535)
    """Port that requests over HTTP are taken at."""

    openai_api_key: Key | None = Field(None, validation_alias="OPENAI_API_KEY", examples=["sk-proj-..."])
    """The key of OpenAI, or of the compatible server at `OPENAI_BASE_URL`."""
    openai_base_url: Url | None = Field(None, validation_alias="OPENAI_BASE_URL", examples=["http://localhost:1234/v1"])
    """Base address of a server that is compatible with OpenAI's API; unset means OpenAI itself."""
    model: str = Field("", examples=["gpt-6-luna"])
    """The model, or `provider/model` for a named provider; unset: the default on OpenAI, elsewhere the only model."""
    fallback_models: Names = Field((), examples=["groq/llama-3.3-70b-versatile,openai/gpt-6-luna"])
    """Models to try, in this order, when the first one fails; each `provider/model`."""
    vision_model: str = Field("", examples=["openai/gpt-6-luna"])
    """The model for questions with pictures; unset: the model itself or a fallback, if it is known to see."""
    wire: Wire = "auto"
    """How to speak to the model: `responses` or `chat` completions; `auto` takes `responses` for OpenAI itself."""
    providers: Mapping[ProviderName, Provider] = Field({}, validation_alias="PARLEY_PROVIDER")
    """Named model servers: `PARLEY_PROVIDER_<NAME>_URL`, and where they need it `_KEY` and `_WIRE` (no `_` in NAME)."""
    system_prompt: str = (
        "You are Parley, an assistant in a team's chat. Answer in the language of the question, plainly and briefly. "
        "Say so when you do not know something."
    )
    """What the model is told about its task before the conversation."""
    prompt_tokens: int = Field(12_000, ge=200)
    """Budget of one prompt, in tokens: the system prompt, the transcript and the question."""
    answer_tokens: int = Field(2_000, ge=16)
    """Longest answer, in tokens."""
    temperature: float | None = Field(None, ge=0, le=2, examples=["0.7"])
    """Sampling temperature; unset leaves it to the model's server."""
    first_token_s: Seconds = 60.0
    """Seconds to wait for the first word of an answer."""
    idle_s: Seconds = 30.0
    """Seconds to wait for the next word of an answer."""
    probe: bool = True
    """Look for a model server on this machine (Ollama, LM Studio, llama.cpp, vLLM) when no model is configured."""

    answer: Literal["mention", "threads", "always", "never"] = "threads"
    """When a message is a question: when it addresses the bot; also in threads it takes part in; every one; none."""
    follow_up_s: int = Field(0, ge=0, le=3600)
    """Seconds after an answer in which its asker needs no mention; 0: always needed."""
    hear: Literal["off", "threads", "all"] = "threads"
    """What is kept as context though nobody addressed the bot: nothing, its own threads, or all that it can see."""
    collect: bool = True
    """Answer the waiting messages of one person together; off answers each on its own."""
    channel_turns: int = Field(3, ge=1, le=100)
    """How many people of one conversation are answered at once."""
    thread_per_question: bool = False
    """Answer each question of a channel in a thread of its own."""
    ping_asker: bool = False
    """Notify who asked when the answer begins; nobody else is ever notified."""
    discord_catch_up_s: float = Field(900.0, ge=0, le=86_400, allow_inf_nan=False)
    """Seconds that a message on Discord may be old to be still answered after an absence; 0 reads nothing back."""
    discord_shards: ShardIds = Field("", examples=["0,1/4"])
    """The shards of Discord that this process serves, and how many there are; unset: all that Discord asks for."""
    turns: int = Field(100, ge=1, le=10_000)
    """How many answers one process works on at once."""
    history_messages: int = Field(50, ge=1, le=1_000)
    """How many of a conversation's newest messages a prompt may use."""

    person_rate: Annotated[Rate, BeforeValidator(_rate)] = Field(Rate(count=10, per_s=600.0), examples=["10/10m"])
    """Questions of one person in a span of time; 0 means no limit."""
    workspace_daily_tokens: int = Field(1_000_000, ge=0)
    """Tokens that one workspace may use in a day; 0 means no limit."""
    admins: Ids = Field((), examples=["discord:300,slack:U1"])
    """People who may do everywhere what a platform's admins may do in their workspace."""
    models: Names = Field((), examples=["gpt-6-luna,groq/llama-3.3-70b-versatile"])
    """Models that people may choose for a channel; unset: the configured one and its fallbacks."""
    direct_messages: Literal["on", "listed", "off"] = "on"
    """Who may write directly: people who share a workspace with the bot, only `PARLEY_ALLOWED_PEOPLE`, or nobody."""
    allowed_people: Ids = Field((), examples=["discord:300,slack:U1"])
    """Only these people are answered; unset means everybody."""
    allowed_channels: Ids = Field((), examples=["discord:200,slack:C1"])
    """Only in these channels; unset means all."""
    allowed_workspaces: Ids = Field((), examples=["discord:100,slack:T1"])
    """Only in these workspaces; unset means all."""
    denied_people: Ids = Field((), examples=["discord:666"])
    """These people are never answered."""
    denied_channels: Ids = Field((), examples=["slack:C9"])
    """Never in these channels."""
    denied_workspaces: Ids = Field((), examples=["slack:T9"])
    """Never in these workspaces."""

    redis_url: StoreUrl | None = Field(None, validation_alias="REDIS_URL", examples=["redis://:PW@host/0"], repr=False)
    """Redis 7.0 or newer, or any Valkey; unset: Parley starts its own in the data folder."""
    data_dir: Path = Field(default_factory=lambda: user_data_path("parley", appauthor=False), examples=["/srv/parley"])
    """Folder of the embedded store, used while `REDIS_URL` is unset; unset: the user's data folder."""
    shards: int = Field(16, ge=1, le=16_384)
    """Parts that the store is divided into. Fixed by the first start."""
    transcript_days: int = Field(30, ge=1)
    """Days that a conversation is kept."""
    transcript_messages: int = Field(1_000, ge=1)
    """Messages that are kept of one conversation."""
    why_days: int = Field(7, ge=1)
    """Days that the record of what went into an answer is kept."""

    lease_s: Seconds = 5.0
    """Seconds after which another process takes over the turn of one that has gone silent."""
    call_s: Seconds = 5.0
    """Seconds that one call to a platform may take."""
    grace_s: Seconds = 20.0
    """Seconds that running answers get to end when Parley is stopped."""
    log_level: Level = "INFO"
    """How much is logged."""

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platforms that have a token."""
        return ("discord",) * bool(self.discord_token) + ("slack",) * bool(self.slack_bot_token)

    @property
    def has_model(self) -> bool:
        """Whether a model server is configured at all."""
        return bool(self.openai_api_key or self.openai_base_url or self.providers)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: Source, *others: Source, **more: Source
    ) -> tuple[Source, ...]:
        """The arguments alone: only `load` looks elsewhere."""
        return (init_settings,)

    @classmethod
    def load(
        cls,
        env: Mapping[str, str] = os.environ,
        env_file: Path | None = Path(".env"),
        secrets_dir: Path = Path("/run/secrets"),
    ) -> "Settings":
        """Read all sources, the environment first; raises SettingsInvalid with every problem at once."""
        problems: list[str] = []
        variables = env, _dotenv(env_file, problems), _secrets(secrets_dir)
        sources = tuple(_Variables(source, problems) for source in variables)
        slack = _SLACK & {name for source in sources for name in source.env_vars}
        if slack and (len(slack) == 1 or "slack_bot_token" not in slack):
            names = ", ".join(sorted(slack)).upper()
            problems.append(f"{names}: Slack needs SLACK_BOT_TOKEN=xoxb-... and SLACK_APP_TOKEN=xapp-...")
        try:
            settings = cls(_build_sources=(sources, {}))
        except ValidationError as error:
            raise SettingsInvalid(problems + _explain(error)) from None
        if problems:
            raise SettingsInvalid(problems)
        return settings


class _Variables(EnvSettingsSource):
    """What one place sets: an empty value is unset, `NAME_FILE` is read, and what is not ours is left out."""

    def __init__(self, variables: Mapping[str, str | None], problems: list[str]) -> None:
        super().__init__(Settings, env_nested_delimiter="_", env_nested_max_split=2)
        found = {name.upper(): value.strip() for name, value in variables.items() if value and value.strip()}
        for name in [name for name in found if name.endswith("_FILE") and _is_known(name[:-5])]:
            path = found.pop(name)
            if name[:-5] in found:
                problems.append(f"{name}: {name[:-5]} is set as well. Keep one of the two. Example: {name}={path}")
            elif text := _read(Path(path), name, problems):
                found[name[:-5]] = text
        known = [*env_names().values(), "PARLEY_PROVIDER_NAME_URL"]
        for name in sorted(found):  # a misspelt limit must not be silently off
            if name.startswith("PARLEY_") and not _is_known(name) and not _NOT_SETTINGS.fullmatch(name):
                meant = get_close_matches(name, known, 1) or known
                problems.append(f"{name}: unknown. Did you mean {meant[0]}?")
        self.env_vars = {name.lower(): value for name, value in found.items() if _is_known(name)}


def env_names() -> dict[str, str]:
    """The environment variable of each field (`providers` has several and is not in it)."""
    fields = {name: field for name, field in Settings.model_fields.items() if name != "providers"}
    return {name: str(field.validation_alias or f"PARLEY_{name.upper()}") for name, field in fields.items()}


def example(name: str) -> str:
    """A value that the field `name` could have, as one writes it into `.env`."""
    field = Settings.model_fields[name]
    value = field.examples[0] if field.examples else field.default
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_known(name: str) -> bool:
    return name in env_names().values() or bool(_PROVIDER.fullmatch(name))


def _secrets(folder: Path) -> dict[str, str]:
    """Docker's and Podman's secrets, files named like a variable in either case, as if `NAME_FILE` named each."""
    files = folder.iterdir() if os.access(folder, os.R_OK) else ()
    return {f"{file.name.upper()}_FILE": str(file) for file in files if _is_known(file.name.upper())}


def _dotenv(path: Path | None, problems: list[str]) -> Mapping[str, str | None]:
    text = _read(path, str(path), problems) if path and path.exists() else ""
    wrong = [line.original.line for line in parse_stream(StringIO(text)) if line.error]
    problems += [f"{path}, line {line}: not of the form NAME=value. Example: PARLEY_TURNS=100" for line in wrong]
    logging.getLogger("dotenv").setLevel(logging.ERROR)  # it would warn of the same lines
    return DotEnvSettingsSource(Settings, path if text else None, "utf-8-sig").env_vars


def _read(path: Path, name: str, problems: list[str]) -> str:
    try:
        return path.expanduser().read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        problems.append(f"{name}: cannot read {path}: {reason}. Make it a text file that this user may read.")
        return ""


def _explain(error: ValidationError) -> list[str]:
    """One line for each error of pydantic, with the variable's name, what was wrong and an example."""
    variables, lines = env_names(), {}
    for problem in error.errors():
        field, *inside = map(str, problem["loc"])
        if field == "providers":  # "[key]": its name is wrong
            part = inside[1].upper().replace("[KEY]", "URL")
            variable, sample = f"PARLEY_PROVIDER_{inside[0]}_{part}".upper(), f"PARLEY_PROVIDER_GROQ_{_EXAMPLES[part]}"
        else:
            variable, sample = variables[field], f"{variables[field]}={example(field)}"
        said = "missing" if problem["type"] == "missing" else problem["msg"].removeprefix("Value error, ")
        shown = "" if _UNSHOWN.fullmatch(variable) else f" (it is {str(problem['input'])[:80]!r})"
        lines[variable] = f"{variable}: {said[0].lower()}{said[1:]}{shown}. Example: {sample}"
    return list(lines.values())
