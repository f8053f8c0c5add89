"""The console without a terminal: lines from a pipe, and one question from the command line."""

import asyncio
import io
import os
import sys

import pytest

from adapters.console.client import Console
from bot.errors import ReplyUndeliverable, StoreUnavailable
from bot.ports import Button, Reply
from tests.console.conftest import Pipe, Talk, echo

CONTINUE = (Button(action="continue", label="Continue", turn="t1"),)


def printed(talk: Talk) -> str:
    return talk.out.getvalue()


# ---- line by line


async def test_each_line_is_answered_in_order(pipe: Pipe) -> None:
    """Each line is a question; the next one waits for the answer; the end of the input ends it all."""

    async def slow(talk: Talk, text: str, reply: Reply) -> None:
        reply.show("Ans")
        for _ in range(10):
            await asyncio.sleep(0)
        assert printed(talk).count("\n") == len(talk.asked) - 1
        await echo(talk, text, reply)

    talk = pipe(b"one\ntwo\nthree\n", answer=slow)
    assert await talk.run() == 0
    assert printed(talk) == "Answer: one\nAnswer: two\nAnswer: three\n"


async def test_any_bytes_can_be_piped_in(pipe: Pipe) -> None:
    """Invalid UTF-8 is replaced, control characters and blank lines are dropped, the last line may lack its end."""
    talk = pipe(b"gr\xc3\xbc\xc3\x9fe\r\n\n  \n\x1b[31mred\x00\n\xff\xfe\nlast")
    assert await talk.run() == 0
    assert talk.asked == ["grüße", "[31mred", "��", "last"]


async def test_a_line_may_be_long(pipe: Pipe) -> None:
    """A line of 1 MB is one question."""
    talk = pipe(b"x" * 1_000_000 + b"\nshort\n")
    assert await talk.run() == 0
    assert [len(text) for text in talk.asked] == [1_000_000, 5]


async def test_no_input_is_no_question(pipe: Pipe) -> None:
    """Empty input ends at once, with success."""
    talk = pipe(b"")
    assert await talk.run() == 0
    assert printed(talk) == ""


async def test_lines_are_answered_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe is not read to its end first: each line is answered when it has come."""
    reader, writer = os.pipe()
    with os.fdopen(reader) as stdin:
        answered = asyncio.Event()

        async def tell(talk: Talk, text: str, reply: Reply) -> None:
            await echo(talk, text, reply)
            answered.set()

        monkeypatch.setattr(sys, "stdin", stdin)
        talk = Talk(Console(), io.StringIO(), io.StringIO(), tell)
        running = asyncio.create_task(talk.run())
        for text in (b"one\n", b"two\n"):
            os.write(writer, text)
            await answered.wait()
            answered.clear()
        os.close(writer)
        assert await running == 0
    assert talk.asked == ["one", "two"]


async def test_a_failure_is_told_and_the_next_line_asked(pipe: Pipe) -> None:
    """A notice goes to standard error, the exit code says that something is missing, and the rest is answered."""

    async def first_fails(talk: Talk, text: str, reply: Reply) -> None:
        await (reply.fail("No model.") if text == "one" else echo(talk, text, reply))

    talk = pipe(b"one\ntwo\n", answer=first_fails)
    assert await talk.run() == 1
    assert (printed(talk), talk.err.getvalue()) == ("Answer: two\n", "No model.\n")


async def test_an_inbox_that_is_away_is_told(pipe: Pipe) -> None:
    """A question that could not be taken is told plainly; the next one is tried."""
    talk = pipe(b"one\ntwo\n")
    talk.refuse.append(StoreUnavailable())
    assert await talk.run() == 1
    assert (printed(talk), talk.err.getvalue()) == ("Answer: two\n", f"{StoreUnavailable().notice}\n")


async def test_a_reply_that_is_given_back_ends_the_wait(pipe: Pipe) -> None:
    """Where another process took the turn over, nobody waits here for ever."""

    async def given_back(talk: Talk, text: str, reply: Reply) -> None:
        reply.show("Half")

    talk = pipe(b"one\n", answer=given_back)
    assert await talk.run() == 1
    assert printed(talk) == ""


# ---- one question


async def test_one_answer_is_printed_as_it_comes(pipe: Pipe) -> None:
    """Each piece of text is on standard output before the next one comes."""

    async def streamed(talk: Talk, text: str, reply: Reply) -> None:
        for end in range(1, 12):
            reply.show("Hello world"[:end])
            assert printed(talk) == "Hello world"[:end]
        await reply.finish("Hello world.")

    talk = pipe(question="Hi?", answer=streamed)
    assert await talk.run() == 0
    assert printed(talk) == "Hello world.\n"
    assert talk.asked == ["Hi?"]


async def test_a_new_start_that_continues_is_continued(pipe: Pipe) -> None:
    """An answer that starts anew with the same words goes on where it was."""

    async def twice(talk: Talk, text: str, reply: Reply) -> None:
        reply.show("Hello wo")
        await reply.finish("Hello world")

    talk = pipe(question="Hi?", answer=twice)
    await talk.run()
    assert printed(talk) == "Hello world\n"


async def test_another_new_start_is_set_apart(pipe: Pipe) -> None:
    """An answer that starts anew with other words is printed whole, behind a clear break."""

    async def twice(talk: Talk, text: str, reply: Reply) -> None:
        reply.show("Hello wo")
        reply.show("Good day")
        await reply.finish("Good day to you")

    talk = pipe(question="Hi?", answer=twice)
    assert await talk.run() == 0
    assert printed(talk) == "Hello wo\n\nGood day to you\n"


async def test_only_a_whole_answer_is_success(pipe: Pipe) -> None:
    """A cut answer, a notice and a question that was not taken end with 1; notices go to standard error."""

    async def cut(talk: Talk, text: str, reply: Reply) -> None:
        await reply.finish("Half\n\n*(The model broke off here.)*", CONTINUE)

    async def failed(talk: Talk, text: str, reply: Reply) -> None:
        reply.show("Hal")
        await reply.fail("No model.")

    talk = pipe(question="Hi?", answer=cut)
    assert await talk.run() == 1
    talk = pipe(question="Hi?", answer=failed)
    assert await talk.run() == 1
    assert (printed(talk), talk.err.getvalue()) == ("Hal\n", "No model.\n")
    talk = pipe(question="Hi?")
    talk.refuse.append(StoreUnavailable())
    assert await talk.run() == 1
    assert talk.err.getvalue() == f"{StoreUnavailable().notice}\n"


async def test_an_empty_question_is_not_asked(pipe: Pipe) -> None:
    """Nothing but white space is no question: it is told and nothing is asked."""
    talk = pipe(question=" \n\x00 ")
    assert await talk.run() == 1
    assert (talk.asked, talk.err.getvalue()) == ([], "There is no question.\n")


async def test_what_the_model_writes_drives_no_terminal(pipe: Pipe) -> None:
    """Escape sequences in an answer are made harmless, wherever the stream cuts them."""

    async def evil(talk: Talk, text: str, reply: Reply) -> None:
        for end in range(1, 10):
            reply.show("a\x1b[2J\x07b\rc"[:end])
        await reply.finish("a\x1b[2J\x07b\rc\ud800")

    talk = pipe(question="Hi?", answer=evil)
    await talk.run()
    assert printed(talk) == "a[2Jbc\n"


async def test_being_stopped_stops_the_answer(pipe: Pipe) -> None:
    """Ctrl-C of the command stops the answer at once, keeps what was said, and is no success."""
    shown = asyncio.Event()

    async def endless(talk: Talk, text: str, reply: Reply) -> None:
        reply.show("Hello")
        shown.set()
        await talk.told.wait()
        await reply.finish("Hello\n\n*(stopped)*")

    talk = pipe(question="Hi?", answer=endless)
    async with asyncio.TaskGroup() as turns:
        talk._turns = turns
        running = turns.create_task(talk.console.run(talk.intake, talk.ready.set))
        await shown.wait()
        running.cancel()
    assert printed(talk) == "Hello\n\n*(stopped)*\n"
    assert talk.console.exit_code == 1


async def test_a_reader_that_is_gone_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """When nobody reads any more (`| head`) the answer ends at once, without a traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    stdout = os.fdopen(writer, "w")
    monkeypatch.setattr(sys, "stdout", stdout)

    async def streamed(talk: Talk, text: str, reply: Reply) -> None:
        for end in range(1, 12):
            reply.show("Hello world"[:end])

    talk = Talk(Console(question="Hi?"), io.StringIO(), io.StringIO(), streamed)
    assert await talk.run() == 1
    assert [type(error) for error in talk.failed] == [ReplyUndeliverable]
    stdout.close()


async def test_output_that_cannot_show_a_character_shows_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """On an output of few characters the others are replaced instead of ending it all."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    talk = Talk(Console(question="Grüße?"), io.StringIO(), io.StringIO(), echo)
    assert await talk.run() == 0
    assert raw.getvalue() == b"Answer: Gr??e?\n"
