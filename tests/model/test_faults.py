"""Every fault of a bad day, on both wires, through the real client against a real socket."""

import logging
from dataclasses import dataclass, replace

import pytest

from bot.errors import ModelError, ModelInterrupted, ModelRefused, ModelUnavailable
from bot.model.providers import Wire
from bot.ports import Finished, TextDelta
from tests.model.asking import ASK, HASTY, MakeChain, until_broken, whole
from tests.servers.model import Answer, ModelServer

TEXT = ("one ", "two ", "three")
LLAMA = b'{"error": {"code": 400, "message": "too many tokens", "type": "exceed_context_size_error"}}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A fault that lasts: what is raised at the end, what the log tells, and how often the server is asked."""

    answer: Answer
    error: type[ModelError]
    told: str
    asked: int = 3


ROWS = {
    "429": Row(answer=Answer(status=429), error=ModelUnavailable, told="HTTP 429"),
    "429 for long": Row(
        answer=Answer(status=429, headers=(("retry-after", "40"),)), error=ModelUnavailable, told="HTTP 429", asked=1
    ),
    "429 by date": Row(
        answer=Answer(status=429, headers=(("retry-after", "Wed, 21 Oct 2099 07:28:00 GMT"),)),
        error=ModelUnavailable,
        told="HTTP 429",
    ),
    "no credit": Row(
        answer=Answer(status=429, code="insufficient_quota"),
        error=ModelRefused,
        told="top up the account of OPENAI_API_KEY",
        asked=1,
    ),
    "500": Row(answer=Answer(status=500), error=ModelUnavailable, told="HTTP 500"),
    "503": Row(answer=Answer(status=503, body=b"<html>busy</html>"), error=ModelUnavailable, told="HTTP 503"),
    "400": Row(
        answer=Answer(status=400, code="unsupported_value"),
        error=ModelRefused,
        told="request refused (HTTP 400, unsupported_value)",
        asked=1,
    ),
    "401": Row(answer=Answer(status=401), error=ModelRefused, told="check OPENAI_API_KEY", asked=1),
    "403": Row(answer=Answer(status=403), error=ModelRefused, told="give OPENAI_API_KEY the right", asked=1),
    "404": Row(answer=Answer(status=404), error=ModelRefused, told="check PARLEY_MODEL", asked=1),
    "unknown model": Row(
        answer=Answer(status=400, code="model_not_found"), error=ModelRefused, told="check PARLEY_MODEL", asked=1
    ),
    "hang up": Row(answer=Answer(hang_up=True), error=ModelUnavailable, told="no connection"),
    "garbage": Row(answer=Answer(raw=b"SSH-2.0-OpenSSH_9.6\r\n"), error=ModelUnavailable, told="no connection"),
    "empty 200": Row(answer=Answer(body=b""), error=ModelUnavailable, told="ended before the answer"),
    "malformed 200": Row(answer=Answer(body=b'{"choices": ['), error=ModelUnavailable, told="ended before the answer"),
    "web page": Row(answer=Answer(body=b"<html>hello</html>"), error=ModelUnavailable, told="ended before the answer"),
    "dropped": Row(answer=Answer(drop_at=0), error=ModelUnavailable, told="no connection"),
    "truncated": Row(answer=Answer(truncate_at=0), error=ModelUnavailable, told="ended before the answer"),
    "malformed chunk": Row(answer=Answer(malformed_at=0), error=ModelUnavailable, told="malformed answer"),
    "odd chunk": Row(
        answer=Answer(malformed_at=0, insert=(b'data: ["what"]\n\n',)), error=ModelUnavailable, told="malformed answer"
    ),
    "deep chunk": Row(
        answer=Answer(malformed_at=0, insert=(b"data: " + b"[" * 100_000 + b"\n\n",)),
        error=ModelUnavailable,
        told="malformed answer",
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
async def test_a_fault_that_lasts_is_told_to_the_right_people(
    server: ModelServer, make_chain: MakeChain, wire: Wire, row: Row, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is shown, the right error is raised after the right number of attempts, and the log says what helps."""
    server.answer = lambda request: replace(row.answer, chunks=TEXT, message="sk-test says: Why?")
    with caplog.at_level(logging.INFO, "bot"):
        text, error = await until_broken(make_chain(wire).stream(ASK), row.error)
    assert (text, len(server.requests)) == ("", row.asked)
    assert row.told in caplog.text
    assert "default/m1" in str(error)
    assert "sk-test" not in caplog.text + str(error)
    assert "Why?" not in caplog.text + str(error)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.asked > 1])
async def test_a_fault_that_passes_is_not_noticed(
    server: ModelServer, make_chain: MakeChain, wire: Wire, name: str
) -> None:
    """While nothing was shown the same model is asked again, and the answer is whole."""
    server.script(replace(ROWS[name].answer, chunks=TEXT), Answer(chunks=TEXT, usage=None))
    events = await whole(make_chain(wire).stream(ASK))
    assert events == [*map(TextDelta, TEXT), Finished(reason="stop", model="default/m1")]


@pytest.mark.parametrize(
    "answer",
    [Answer(drop_at=2), Answer(truncate_at=2), Answer(malformed_at=2), Answer(reason="failed")],
    ids=["dropped", "truncated", "malformed", "failed"],
)
async def test_after_text_was_shown_nothing_is_asked_again(
    server: ModelServer, make_chain: MakeChain, wire: Wire, answer: Answer
) -> None:
    """What breaks in mid-answer is ModelInterrupted, with no second request, whose text would be another one."""
    if answer.reason == "failed" and wire == "chat":
        answer = Answer(malformed_at=3, insert=(b'data: {"error": {"message": "out of memory", "code": 502}}\n\n',))
    server.script(replace(answer, chunks=TEXT))
    text, error = await until_broken(make_chain(wire).stream(ASK), ModelInterrupted)
    assert text == "".join(TEXT[: 3 if answer.reason == "failed" or answer.malformed_at == 3 else 2])
    assert len(server.requests) == 1
    assert str(error).startswith("default/m1: ")


async def test_a_wait_that_the_server_asks_for_is_kept(server: ModelServer, make_chain: MakeChain, wire: Wire) -> None:
    """A short Retry-After is waited for; one that is too long for us is the queue's time to try again."""
    server.script(Answer(status=429, headers=(("retry-after", "0.01"),)))
    assert isinstance((await whole(make_chain(wire).stream(ASK)))[-1], Finished)
    server.script(Answer(status=429, headers=(("retry-after", "40"),)))
    _, error = await until_broken(make_chain(wire).stream(ASK), ModelUnavailable)
    assert isinstance(error, ModelUnavailable)
    assert error.retry_in_s == 40.0


async def test_a_server_that_is_not_there_is_unavailable(
    server: ModelServer, make_chain: MakeChain, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    """A refused connection is ModelUnavailable, and the log names the variable that holds the address."""
    async with ModelServer() as gone:
        base_url = gone.base_url
    await until_broken(make_chain(wire, base_url=base_url).stream(ASK), ModelUnavailable)
    assert "check OPENAI_BASE_URL" in caplog.text


@pytest.mark.parametrize(
    ("answer", "notice"),
    [
        (Answer(status=400, code="context_length_exceeded"), "This conversation is too long for the model."),
        (Answer(status=400, body=LLAMA), "This conversation is too long for the model."),
        (Answer(status=400, code="content_filter"), "The model's content filter refused this request."),
    ],
    ids=["length", "length at llama.cpp", "content"],
)
async def test_what_the_person_can_change_is_told_to_the_person(
    server: ModelServer, make_chain: MakeChain, wire: Wire, answer: Answer, notice: str
) -> None:
    """A refusal for length or content has a notice of its own."""
    server.script(answer)
    _, error = await until_broken(make_chain(wire).stream(ASK), ModelRefused)
    assert isinstance(error, ModelRefused)
    assert error.notice == notice


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_a_server_quotes_is_not_logged(
    server: ModelServer, make_chain: MakeChain, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The words of a server that refuses a key are not logged, not even at DEBUG."""
    server.script(Answer(status=status, message="Incorrect API key provided: sk-test"))
    with caplog.at_level(logging.DEBUG, "bot"):
        await until_broken(make_chain().stream(ASK), ModelRefused)
    assert "sk-test" not in caplog.text


async def test_a_key_that_cannot_be_sent_is_named(make_chain: MakeChain, caplog: pytest.LogCaptureFixture) -> None:
    """A key with a character that no header carries (a copied ellipsis) is refused with the variable's name."""
    chain = make_chain()
    chain = type(chain)([replace(chain.main, key="sk-a\N{HORIZONTAL ELLIPSIS}z")], model="m1", patience=HASTY)
    await until_broken(chain.stream(ASK), ModelRefused)
    await chain.close()
    assert "OPENAI_API_KEY" in caplog.text
