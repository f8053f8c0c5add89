"""The port `Model`: the model that was asked for, then its fallbacks. Knows neither wires' events nor HTTP.

Nothing of this package imports openai before the first question, or `warm`.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from bot.errors import ModelError, ModelInterrupted, ModelRefused, ModelUnavailable
from bot.model.faults import Fault, Patience
from bot.model.providers import Provider, can_see, find, only, openai_default
from bot.model.wire import Chat, Responses
from bot.ports import Finished, ModelRequest, StreamEvent

if TYPE_CHECKING:
    from bot.model.client import Client

log = logging.getLogger(__name__)


class Chain:
    """Asks one model after the other until one answers. `providers` begins with the main one; implements `Model`.

    `model`, `fallbacks` and `vision` are `provider/model` or a bare model of the main provider. An empty `model` means
    the default on OpenAI, elsewhere the only model that the server has; an empty `vision` the first one known to see.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        model: str = "",
        fallbacks: Sequence[str] = (),
        vision: str = "",
        patience: Patience,
    ) -> None:
        self.main = providers[0]
        self._providers = {provider.name: provider for provider in reversed(providers)}
        self._model, self._fallbacks, self._vision, self._patience = model, fallbacks, vision, patience
        self._default = ""
        self._client: Client | None = None
        self._loading = asyncio.Lock()

    async def warm(self) -> "Client":
        """Load the client library, in a thread, so that the first question does not wait for it."""
        async with self._loading:
            if self._client is None:
                self._client = await asyncio.to_thread(_load, tuple(self._providers.values()), self._patience)
        return self._client

    async def close(self) -> None:
        """Close the connections, after the last stream."""
        if self._client is not None:
            await self._client.close()

    async def list_models(self, provider: Provider) -> dict[str, str]:
        """The ids that a provider lists, each with its shutdown date (often empty). Raises a ModelError."""
        try:
            return await (await self.warm()).models(provider)
        except Fault as fault:
            raise _failed({_told(fault, provider): fault}) from None

    async def seeing(self, model: str) -> str | None:
        """Whom to ask about pictures in place of `model` (empty: the default); None where nobody is known to see."""
        if self._vision:
            return self._vision
        own = name = model or self._model
        try:
            name = name or await self._default_model(await self.warm())
        except Fault:  # the question itself will meet it too
            return None
        return own if can_see(name) else next(filter(can_see, self._fallbacks), None)

    async def default_model(self) -> str:
        """The model that is asked where a request names none. Raises a ModelError."""
        try:
            return self._model or await self._default_model(await self.warm())
        except Fault as fault:
            raise _failed({_told(fault, self.main): fault}) from None

    async def embed(self, texts: Sequence[str], model: str = "") -> list[list[float]]:
        """A vector for each text. An empty `model` is the first one for embeddings that the main provider lists.

        Raises ModelRefused where there is none or the server has no embeddings, else ModelUnavailable.
        """
        client = await self.warm()
        provider, name = find(model, self._providers, self.main)
        try:
            names = [name] if name else [id for id in await client.models(provider) if "embed" in id.lower()]
            if not names:
                raise Fault("never", f"{provider.name} lists no model for embeddings")
            return await client.embed(provider, names[0], texts)
        except Fault as fault:
            raise _failed({_told(fault, provider): fault}) from None

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent, None]:
        """See `bot.ports.Model`. Each fault is logged, with what helps; never a message's text or a key."""
        client = await self.warm()
        fit = can_see if request.messages[-1].images else None
        names = dict.fromkeys((request.model or self._model, *filter(fit, self._fallbacks)))
        tried: dict[str, Fault] = {}
        for name in names:
            provider, model = find(name, self._providers, self.main)
            for attempt in range(self._patience.retries + 1):
                is_shown = False
                try:
                    model = model or await self._default_model(client)
                    asked = (Chat if provider.speaks == "chat" else Responses)(provider, model, request)
                    async with aclosing(client.stream(provider, asked)) as events:
                        async for event in events:
                            is_shown = True
                            yield event
                    yield Finished(reason=asked.reason or "stop", model=f"{provider.name}/{model}", tried=tuple(tried))
                    return
                except Fault as fault:
                    failure = f"{provider.name}/{model}: {fault.reason}"
                    log.warning("model %s/%s: %s", provider.name, model, _told(fault, provider))
                    if is_shown:
                        raise ModelInterrupted(failure) from None
                    pause_s = self._pause_s(fault, attempt, is_last=len(tried) + 1 == len(names))
                    if pause_s is None:
                        tried[failure] = fault
                        break
                await asyncio.sleep(pause_s)
            if any(fault.verdict == "final" for fault in tried.values()):
                break
        raise _failed(tried)

    async def _default_model(self, client: "Client") -> str:
        """The main provider's model where none is set. Raises Fault."""
        if not self._default:
            self._default = openai_default() if self.main.is_openai else only(await client.models(self.main))
        return self._default

    def _pause_s(self, fault: Fault, attempt: int, *, is_last: bool) -> float | None:
        """Seconds until the same model is asked again; None: never. While another model is left nobody waits long."""
        patience, asked_s = self._patience, fault.retry_after_s or 0.0
        bound_s = patience.wait_s if is_last else min(1.0, patience.wait_s)
        if fault.verdict != "again" or attempt >= patience.retries or asked_s > bound_s:
            return None
        return asked_s or patience.backoff_s * (1 << attempt) * random.uniform(0.75, 1.25)


def _load(providers: Sequence[Provider], patience: Patience) -> "Client":
    from bot.model.client import Client  # brings openai: half a second, 30 MB

    return Client(providers, patience)


def _told(fault: Fault, provider: Provider) -> str:
    remedy = fault.remedy.format(key=provider.setting("KEY"), url=provider.setting("URL"))
    return f"{fault.reason}; {remedy}" if remedy else fault.reason


def _failed(tried: Mapping[str, Fault]) -> ModelError:
    """What the whole chain's failure is: worth another try later if that holds for any of its models."""
    if any(fault.verdict in ("again", "later") for fault in tried.values()):
        waits = [fault.retry_after_s for fault in tried.values() if fault.retry_after_s is not None]
        return ModelUnavailable("; ".join(tried), retry_in_s=min(waits, default=None))
    return ModelRefused("; ".join(tried), notice=[*tried.values()][-1].notice)
