"""The chain of fallbacks, and how the first model is chosen."""

from dataclasses import replace

import pytest

from bot.errors import ModelRefused, ModelUnavailable
from bot.model.chain import Chain
from bot.model.providers import Provider, Wire
from bot.ports import Finished
from tests.model.asking import ASK, HASTY, MakeChain, until_broken, whole
from tests.servers.model import Answer, ModelServer

LONG = (("retry-after", "40"),)


async def finished(chain: Chain, model: str = "") -> Finished:
    last = (await whole(chain.stream(replace(ASK, model=model))))[-1]
    assert isinstance(last, Finished)
    return last


async def test_the_next_model_answers_where_the_first_cannot(
    server: ModelServer, make_chain: MakeChain, wire: Wire
) -> None:
    """Each kind of failure of a model moves on to the next; Finished names who answered and what failed before."""
    other = Provider(name="other", base_url=server.base_url, wire=wire)
    chain = make_chain("chat", other, model="m1", fallbacks=("m2", "other/org/m3"))
    server.script(Answer(status=401, code="bad"), Answer(status=429, code="bad", headers=LONG))
    assert await finished(chain) == Finished(
        reason="stop",
        model="other/org/m3",
        tried=("default/m1: the key was refused (HTTP 401, bad)", "default/m2: busy or failing (HTTP 429, bad)"),
    )


async def test_no_model_is_asked_after_text_was_shown(server: ModelServer, make_chain: MakeChain, wire: Wire) -> None:
    """The rest of an answer by another model would be no answer."""
    server.script(Answer(drop_at=3))
    await until_broken(make_chain(wire, fallbacks=("m2",)).stream(ASK), Exception)
    assert [asked.body["model"] for asked in server.requests] == ["m1"]


async def test_a_request_that_was_refused_is_shown_to_nobody_else(
    server: ModelServer, make_chain: MakeChain, wire: Wire
) -> None:
    """A 400 ends the chain: what one model refuses is not carried to a laxer one."""
    server.script(Answer(status=400))
    await until_broken(make_chain(wire, fallbacks=("m2",)).stream(ASK), ModelRefused)
    assert len(server.requests) == 1


async def test_a_stalled_model_is_followed_by_the_next(server: ModelServer, make_chain: MakeChain, wire: Wire) -> None:
    """A stall before the first token moves on at once."""
    server.script(Answer(stall_at=0))
    chain = make_chain(wire, fallbacks=("m2",), patience=replace(HASTY, first_token_s=0.3))
    assert (await finished(chain)).model == "default/m2"


async def test_nobody_waits_for_a_busy_model_while_another_is_left(server: ModelServer, make_chain: MakeChain) -> None:
    """A Retry-After that the last model would be granted sends the earlier ones to the back."""
    server.script(Answer(status=429, headers=(("retry-after", "1.5"),)))
    chain = make_chain(fallbacks=("m2",), patience=replace(HASTY, wait_s=3600.0))
    assert (await finished(chain)).model == "default/m2"


async def test_the_whole_chain_is_unavailable_if_one_of_its_models_may_come_back(
    server: ModelServer, make_chain: MakeChain
) -> None:
    """Later helps if it helps at any model; the shortest wait that was asked for is passed on."""
    answers = Answer(status=429, headers=LONG), Answer(status=429, headers=(("retry-after", "20"),)), Answer(status=401)
    server.script(*answers)
    _, error = await until_broken(make_chain(fallbacks=("m2", "m3")).stream(ASK), ModelUnavailable)
    assert isinstance(error, ModelUnavailable)
    assert error.retry_in_s == 20.0
    assert str(error).count("default/m") == 3


async def test_a_request_names_its_model_and_keeps_the_fallbacks(server: ModelServer, make_chain: MakeChain) -> None:
    """The model of the request is asked in place of the first one, and none is asked twice."""
    chain = make_chain(fallbacks=("m2", "m3"))
    assert (await finished(chain, "default/m9")).model == "default/m9"
    server.requests.clear()
    server.script(Answer(status=404))
    assert (await finished(chain, "m2")).model == "default/m3"
    assert [asked.body["model"] for asked in server.requests] == ["m2", "m3"]


async def test_the_only_model_of_a_server_is_its_default(make_chain: MakeChain, server: ModelServer) -> None:
    """Without PARLEY_MODEL a compatible server's only model is used (embedders do not count), and asked for once."""
    server.models = (("text-embedding-nomic", None), ("llama", None))
    chain = make_chain(model="")
    assert [(await finished(chain)).model for _ in range(2)] == ["default/llama"] * 2
    assert [asked.path for asked in server.requests].count("/v1/models") == 1


@pytest.mark.parametrize(
    ("models", "told"),
    [
        ((("llama", None), ("qwen", None)), "the server has: llama, qwen"),
        ((), "the server has: none"),
        (tuple((f"m{n}", None) for n in range(30)), "m19, ..."),
    ],
)
async def test_a_choice_of_models_is_not_guessed(
    make_chain: MakeChain,
    server: ModelServer,
    models: tuple[tuple[str, None], ...],
    told: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With several models and none chosen, the question is refused, and the log lists them and names PARLEY_MODEL."""
    server.models = models
    _, error = await until_broken(make_chain(model="").stream(ASK), ModelRefused)
    assert told in str(error)
    assert "set PARLEY_MODEL" in caplog.text


async def test_a_fallback_answers_while_no_model_is_chosen(make_chain: MakeChain, server: ModelServer) -> None:
    """That the first model is not known is a failure like any other."""
    server.models = (("llama", None), ("qwen", None))
    assert (await finished(make_chain(model="", fallbacks=("m2",)))).model == "default/m2"


async def test_models_are_listed_with_their_end(make_chain: MakeChain, server: ModelServer) -> None:
    """What a provider lists comes with the day on which OpenAI shuts a model, where it tells one."""
    server.models = (("gpt-5", "2026-12-11"), ("gpt-6-luna", None))
    chain = make_chain()
    assert await chain.list_models(chain.main) == {"gpt-5": "2026-12-11", "gpt-6-luna": ""}


async def test_a_list_that_fails_says_why(make_chain: MakeChain, server: ModelServer) -> None:
    """A server that is away, refuses the key or lists nonsense raises our errors, with the remedy."""
    chain = make_chain()
    server.listing = Answer(status=401)
    with pytest.raises(ModelRefused, match="check OPENAI_API_KEY"):
        await chain.list_models(chain.main)
    for body in (b"", b"[]", b'{"data": null}', b'{"data": [{}]}'):
        server.listing = Answer(body=body)
        with pytest.raises(ModelUnavailable, match="malformed answer"):
            await chain.list_models(chain.main)
    async with ModelServer() as gone:
        away = Provider(name="away", base_url=gone.base_url)
    lonely = make_chain("chat", away)
    with pytest.raises(ModelUnavailable, match="PARLEY_PROVIDER_AWAY_URL"):
        await lonely.list_models(away)
