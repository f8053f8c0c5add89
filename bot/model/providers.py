"""Where models are: named providers, which wire each speaks, and what `provider/model` means. Knows no HTTP."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import Any, Literal
from urllib.parse import urlsplit

from bot.model.faults import Fault

OPENAI_URL = "https://api.openai.com/v1"
Wire = Literal["auto", "responses", "chat"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A server of models. `base_url` ends where the path of a wire begins (usually in `/v1`); `key` may be empty.

    `is_main`: it comes from the OPENAI_* settings, and models without a provider's name belong to it.
    """

    name: str
    base_url: str = OPENAI_URL
    key: str = field(default="", repr=False)
    wire: Wire = "auto"
    is_main: bool = False

    @property
    def is_openai(self) -> bool:
        """OpenAI itself (also a regional endpoint), which alone is sent the parameters that only it takes."""
        return f".{urlsplit(self.base_url).hostname}".endswith(".api.openai.com")

    @property
    def has_openai_models(self) -> bool:
        """OpenAI, or Azure's v1 API: https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle."""
        return self.is_openai or ".openai.azure.com/openai/v1" in self.base_url

    @property
    def speaks(self) -> Literal["responses", "chat"]:
        """The wire in use. `auto` is Responses where OpenAI's models run: on Chat Completions they lack tools."""
        return self.wire if self.wire != "auto" else "responses" if self.has_openai_models else "chat"

    def setting(self, what: str) -> str:
        """The variable that holds its KEY or its URL."""
        main = {"KEY": "OPENAI_API_KEY", "URL": "OPENAI_BASE_URL"}
        return main[what] if self.is_main else f"PARLEY_PROVIDER_{self.name.upper()}_{what}"


def main_provider(*, base_url: str | None = None, key: str = "", wire: Wire = "auto") -> Provider:
    """The provider of the OPENAI_* settings: `openai` where no base URL is set, else `default`."""
    name = "default" if base_url else "openai"
    return Provider(name=name, base_url=base_url or OPENAI_URL, key=key, wire=wire, is_main=True)


def find(text: str, providers: Mapping[str, Provider], main: Provider) -> tuple[Provider, str]:
    """What `provider/model` or a bare model means. Slashes belong to the model where no provider's name comes first."""
    name, _, model = text.partition("/")
    return (providers[name], model) if model and name in providers else (main, text)


def openai_default() -> str:
    """The model that OpenAI is asked for where none is set."""
    return str(_known()["openai_default"])


def can_see(model: str) -> bool:
    """Whether a model is known to take pictures, by the patterns of names in bot/data/models.json."""
    name = model.rpartition("/")[2].lower()
    return any(fnmatchcase(name, pattern) for pattern in _known()["can_see"])


@cache
def _known() -> Any:
    return json.loads(resources.files("bot").joinpath("data/models.json").read_text("utf-8"))


def only(models: Iterable[str]) -> str:
    """The one model that can talk of those a server lists (LM Studio and Ollama list embedders too). Raises Fault."""
    ids = [model for model in models if "embed" not in model.lower()]
    if len(ids) == 1:
        return ids[0]
    shown = (", ".join(ids[:20]) or "none") + ", ..." * (len(ids) > 20)
    raise Fault("never", f"no model is chosen; the server has: {shown}", "set PARLEY_MODEL to one of these")
