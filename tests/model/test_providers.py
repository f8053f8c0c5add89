"""Named providers: who speaks which wire, and what `provider/model` means."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.model.providers import Provider, find, main_provider, openai_default

GROQ = Provider(name="groq", base_url="https://api.groq.com/openai/v1")
MAIN = main_provider()


@pytest.mark.parametrize(
    ("base_url", "speaks"),
    [
        ("https://api.openai.com/v1", "responses"),
        ("https://API.OpenAI.com/v1/", "responses"),
        ("https://eu.api.openai.com/v1", "responses"),
        ("https://ours.openai.azure.com/openai/v1/", "responses"),
        ("https://ours.openai.azure.com/openai/deployments/x", "chat"),
        ("https://api.groq.com/openai/v1", "chat"),
        ("https://evil.example/api.openai.com/v1", "chat"),
        ("https://notapi.openai.com.example/v1", "chat"),
        ("http://127.0.0.1:11434/v1", "chat"),
    ],
)
def test_the_wire_follows_from_the_address(base_url: str, speaks: str) -> None:
    """`auto` is Responses at OpenAI and at Azure's v1 API, and Chat Completions everywhere else."""
    assert Provider(name="x", base_url=base_url).speaks == speaks


@pytest.mark.parametrize("wire", ["chat", "responses"])
def test_a_wire_that_was_chosen_is_spoken(wire: str) -> None:
    """A wire that is set wins over the address."""
    assert Provider(name="x", wire="chat" if wire == "chat" else "responses").speaks == wire


def test_the_main_provider_is_named_after_its_address() -> None:
    """It is `openai` while no base URL is set, else `default`; its settings are the OPENAI_ ones."""
    assert (MAIN.name, MAIN.is_openai) == ("openai", True)
    assert main_provider(base_url="http://127.0.0.1:1/v1").name == "default"
    assert [MAIN.setting("KEY"), MAIN.setting("URL")] == ["OPENAI_API_KEY", "OPENAI_BASE_URL"]
    assert GROQ.setting("KEY") == "PARLEY_PROVIDER_GROQ_KEY"


def test_a_key_is_not_shown() -> None:
    """The repr of a provider, as a traceback or a log may hold it, has no key."""
    assert "sk-secret" not in repr(Provider(name="x", key="sk-secret"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gpt-6-luna", "openai/gpt-6-luna"),
        ("openai/gpt-6-luna", "openai/gpt-6-luna"),
        ("groq/llama", "groq/llama"),
        ("groq/meta/llama", "groq/meta/llama"),
        ("meta/llama", "openai/meta/llama"),
        ("meta/groq/llama", "openai/meta/groq/llama"),
        ("groq/", "openai/groq/"),
        ("groq", "openai/groq"),
        ("", "openai/"),
    ],
)
def test_a_model_belongs_to_the_provider_before_its_first_slash(text: str, found: str) -> None:
    """A name without a known provider's before it is the main provider's, slashes and all."""
    provider, model = find(text, {"openai": MAIN, "groq": GROQ}, MAIN)
    assert f"{provider.name}/{model}" == found


@settings(deadline=None)
@given(name=st.text(), model=st.text(min_size=1))
def test_what_is_written_as_provider_and_model_is_found_again(name: str, model: str) -> None:
    """Any model of any provider can be named."""
    name = name.replace("/", "")
    provider = Provider(name=name)
    assert find(f"{name}/{model}", {name: provider}, MAIN) == (provider, model)


def test_openai_has_a_default() -> None:
    """OpenAI's default comes from the data file."""
    assert openai_default() == "gpt-6-luna"


def test_importing_the_chain_does_not_import_openai() -> None:
    """The half second of `import openai` is paid at the first question, or at `warm`, not at the start."""
    code = "import sys, bot.model.chain; print({'openai', 'aiohttp', 'httpx2', 'pydantic'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
