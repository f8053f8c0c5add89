"""A model server and chains over it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.model.chain import Chain
from bot.model.faults import Patience
from bot.model.providers import Provider, Wire
from tests.model.asking import HASTY, MakeChain
from tests.servers.model import ModelServer


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxy of the machine, and no certificates: loading the machine's for each client costs more than the tests."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))


@pytest.fixture(params=["chat", "responses"])
def wire(request: pytest.FixtureRequest) -> Wire:
    """Each of the two wires."""
    chosen: Wire = request.param
    return chosen


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


@pytest.fixture
async def make_chain(server: ModelServer) -> AsyncIterator[MakeChain]:
    """Makes chains that are closed at the end. The main provider, `default`, is at `server`."""
    async with AsyncExitStack() as stack:

        def make(
            wire: Wire = "chat",
            *others: Provider,
            model: str = "m1",
            fallbacks: tuple[str, ...] = (),
            base_url: str = "",
            vision: str = "",
            patience: Patience = HASTY,
        ) -> Chain:
            main = Provider(
                name="default", base_url=base_url or server.base_url, key="sk-test", wire=wire, is_main=True
            )
            chain = Chain([main, *others], model=model, fallbacks=fallbacks, vision=vision, patience=patience)
            stack.push_async_callback(chain.close)
            return chain

        yield make
