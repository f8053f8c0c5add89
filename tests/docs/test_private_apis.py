"""What we use of libraries' insides, each by name; docs/private-apis.md says why. Discord's are in tests/discord."""

import ast
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import aiohttp
import httpx2
import openai
import pytest
from dotenv.parser import parse_stream
from pydantic_settings import BaseSettings, EnvSettingsSource
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient

from tests.docs.pages import ROOT, page
from tests.servers.common import Clock
from tests.servers.model import Answer, ModelServer
from tests.servers.slack import SlackServer

PACKAGES = ("bot", "adapters", "handlers")
UNDOCUMENTED = ("discord.http", "discord.gateway", "dotenv.parser", "prompt_toolkit.input.typeahead")
"""Modules that their libraries' documentation does not have."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxy of the machine, and no certificates: nothing here needs any."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))


async def test_post_gives_a_response_whose_body_is_unread() -> None:
    """`AsyncOpenAI.post` with `cast_to=httpx2.Response` and `stream=True`: a status, and bytes that come as we ask."""
    async with ModelServer() as server, openai.AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
        server.script(Answer(chunks=("he", "llo"), stall_at=1), Answer(status=503, message="busy"))
        body = {"model": "m", "messages": [], "stream": True}
        response = await client.post("/chat/completions", cast_to=httpx2.Response, body=body, stream=True)
        chunks = response.aiter_bytes()
        said = b""
        while b'"he"' not in said:
            said += await anext(chunks)
        assert not response.is_closed
        server.release()
        said += b"".join([chunk async for chunk in chunks])
        assert b'"llo"' in said
        assert said.endswith(b"data: [DONE]\n\n")
        await response.aclose()
        with pytest.raises(openai.APIStatusError, match="busy"):
            await client.with_options(max_retries=0).post("/x", cast_to=httpx2.Response, body=body, stream=True)


async def test_organization_and_project_can_be_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """`AsyncOpenAI.organization` and `project`: what the environment says is not sent once they are None."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    async with ModelServer() as server, openai.AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
        await client.get("/models", cast_to=httpx2.Response)
        client.organization = client.project = None
        await client.get("/models", cast_to=httpx2.Response)
        first, second = (request.headers for request in server.requests)
        assert (first["openai-organization"], first["openai-project"]) == ("org-1", "proj-1")
        assert not {"openai-organization", "openai-project"} & second.keys()


async def test_connect_to_new_endpoint_asks_for_an_address_and_raises() -> None:
    """`SocketModeClient.connect_to_new_endpoint(force=True)`: connects, and a token that Slack refuses is an error."""
    async with SlackServer(Clock()) as server, aiohttp.ClientSession() as session:
        web = AsyncWebClient("xapp-wrong", server.api_url, session=session)
        client = SocketModeClient(app_token="xapp-wrong", web_client=web)
        with pytest.raises(SlackApiError, match="invalid_auth"):
            await client.connect_to_new_endpoint(force=True)
        client.app_token = server.app_token
        await client.connect_to_new_endpoint(force=True)
        assert await client.is_connected()
        await client.close()  # type: ignore[no-untyped-call]  # slack-sdk leaves it untyped


def test_build_sources_are_the_only_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """`BaseSettings(_build_sources=...)`: only these are read, the first one first; `env_vars` is what a source has."""

    class Some(BaseSettings):
        one: str = ""
        two: str = ""

    monkeypatch.setenv("ONE", "from the environment")
    first, second = EnvSettingsSource(Some), EnvSettingsSource(Some)
    first.env_vars, second.env_vars = {"two": "2"}, {"two": "3", "one": "1"}
    assert Some(_build_sources=((first, second), {})) == Some(one="1", two="2")


def test_parse_stream_tells_the_line_that_is_wrong() -> None:
    """`dotenv.parser.parse_stream`: each line has its key and value or, where it is wrong, `error` and its number."""
    lines = list(parse_stream(StringIO("A=1\nwhat is this\nexport B='2'\n")))
    assert [(line.key, line.value) for line in lines if not line.error] == [("A", "1"), ("B", "2")]
    assert [line.original.line for line in lines if line.error] == [2]


def test_a_popen_whose_returncode_is_set_warns_of_nothing() -> None:
    """`subprocess.Popen.returncode`: once it is set, an object that goes away does not warn of a child that runs."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        pipe = process.stdin
        assert pipe is not None
        assert process.poll() is None
        number = process.pid
        process.returncode = 0
        del process
        pipe.close()
    os.waitpid(number, 0)


def test_each_row_names_its_file_and_its_test() -> None:
    """Every row of docs/private-apis.md stands in a file that exists and has a test that exists."""
    tests = set(re.findall(r"def (test_\w+)", "\n".join(file.read_text() for file in ROOT.glob("tests/**/test_*.py"))))
    rows = [line.split("|")[1:-1] for line in page("docs/private-apis.md").splitlines() if line.startswith("| ")][1:]
    assert rows
    for what, where, _, test in rows:
        assert (ROOT / where.strip(" `")).is_file(), where
        assert test.strip(" `") in tests, f"{what} has no test {test}"


def test_nothing_private_is_used_without_being_named() -> None:
    """Private names of others' objects, private and undocumented modules: all are in docs/private-apis.md."""
    text = page("docs/private-apis.md")
    used = [use for name in PACKAGES for file in (ROOT / name).rglob("*.py") for use in _private(file)]
    assert used
    assert [use for use in used if use[1] not in text] == []


def _private(file: Path) -> Iterator[tuple[str, str]]:
    """What a file uses of others' insides: where, and its name."""
    place = file.relative_to(ROOT).as_posix()
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                continue
            case ast.Attribute(attr=name) if name.startswith("_") and not name.endswith("__"):
                if ast.unparse(node) != "os._exit":  # documented, for all its underscore
                    yield f"{place}:{node.lineno}", name
            case ast.keyword(arg=str(name)) if name.startswith("_"):
                yield f"{place}:{node.lineno}", name
            case ast.ImportFrom(module=str(module), names=names):
                is_ours = module.split(".")[0] in PACKAGES
                hidden = [one.name for one in names if one.name.startswith("_")]
                if not is_ours and (module in UNDOCUMENTED or "._" in module or hidden):
                    yield f"{place}:{node.lineno}", module
