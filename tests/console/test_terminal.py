"""The console in a terminal."""

import asyncio

from prompt_toolkit.application import get_app_session

from adapters.console.translate import question
from bot.errors import StoreUnavailable
from bot.ports import Reply
from tests.console.conftest import Talk, Terminal, drawn
from tests.fakes import FakeDraft


async def test_a_talk(terminal: Terminal) -> None:
    """What is typed is asked, the answer is printed, and Ctrl-D at the empty prompt ends it."""
    talk, keys = terminal()
    keys.send_text("Hello?\r")
    keys.send_text("  \r")
    keys.send_text("And now?\r\x04")
    assert await talk.run() == 0
    assert talk.asked == ["Hello?", "And now?"]
    printed = talk.out.getvalue()
    assert printed.index("Answer: Hello?") < printed.index("Answer: And now?")


async def test_ctrl_c_at_the_prompt(terminal: Terminal) -> None:
    """Ctrl-C gives up the line that is being typed; at the empty prompt it ends the talk."""
    talk, keys = terminal()
    keys.send_text("no\x03yes\r\x03")
    assert await talk.run() == 0
    assert talk.asked == ["yes"]


async def test_what_was_typed_can_be_called_back(terminal: Terminal) -> None:
    """The arrow keys bring back what was typed before."""
    answered = asyncio.Event()

    async def tell(talk: Talk, text: str, reply: Reply) -> None:
        await reply.finish("Yes.")
        drawn().clear()
        answered.set()

    talk, keys = terminal(answer=tell)
    keys.send_text("one\r")
    running = asyncio.create_task(talk.run())
    await answered.wait()
    await drawn().wait()
    app = get_app_session().app
    assert app is not None
    loading = app.current_buffer._load_history_task
    assert loading is not None
    await loading
    keys.send_text("\x1b[A more\r\x04")
    await running
    assert talk.asked == ["one", "one more"]


async def test_pasted_lines_are_one_question(terminal: Terminal) -> None:
    """Text of several lines that is pasted is one question, lines and all."""
    talk, keys = terminal()
    keys.send_text("\x1b[200~def f():\r\n    return 1\n\x1b[201~\r\x04")
    await talk.run()
    assert talk.asked == ["def f():\n    return 1"]


async def test_ctrl_c_stops_an_answer_and_keeps_it(terminal: Terminal) -> None:
    """Ctrl-C while an answer comes stops it; what was said stays, and the talk goes on."""

    async def endless(talk: Talk, text: str, reply: Reply) -> None:
        if text == "next":
            await reply.finish("Fine.")
            return
        reply.show("So far so good")
        keys.send_text("\x03")
        await talk.told.wait()
        await reply.finish("So far so good\n\n*(stopped)*")

    talk, keys = terminal(answer=endless)
    keys.send_text("Hello?\r")
    running = asyncio.create_task(talk.run())
    await talk.told.wait()
    keys.send_text("next\r\x04")
    assert await running == 0
    assert talk.actions == ["stop"]
    assert "So far so good" in talk.out.getvalue()
    assert "(stopped)" in talk.out.getvalue()
    assert talk.asked == ["Hello?", "next"]


async def test_a_second_ctrl_c_leaves_the_answer(terminal: Terminal) -> None:
    """Where even the stop does nothing, a second Ctrl-C gives the prompt back."""
    given_back = asyncio.Event()

    async def deaf(talk: Talk, text: str, reply: Reply) -> None:
        keys.send_text("\x03")
        await talk.told.wait()
        keys.send_text("\x03\x04")
        await given_back.wait()

    talk, keys = terminal(answer=deaf)
    keys.send_text("Hello?\r")
    running = asyncio.create_task(talk.console.run(talk.intake, talk.ready.set))
    async with talk._turns:
        await running
        given_back.set()
    assert talk.actions == ["stop"]


async def test_what_is_typed_meanwhile_is_kept(terminal: Terminal) -> None:
    """What a person types while an answer comes is at the next prompt."""

    async def slow(talk: Talk, text: str, reply: Reply) -> None:
        if text == "one":
            keys.send_text("two\r\x04")
            for _ in range(5):
                await asyncio.sleep(0)
        await reply.finish("Yes.")

    talk, keys = terminal(answer=slow)
    keys.send_text("one\r")
    await talk.run()
    assert talk.asked == ["one", "two"]


async def test_commands(terminal: Terminal) -> None:
    """/retry asks for another answer, /quit ends."""
    talk, keys = terminal()
    keys.send_text("one\r/retry\r/quit\r")
    assert await talk.run() == 0
    assert talk.asked == ["one"]
    assert talk.actions == ["retry"]
    assert "Answer: again" in talk.out.getvalue()


async def test_an_inbox_that_is_away_ends_nothing(terminal: Terminal) -> None:
    """A question that could not be taken is told plainly, and the talk goes on."""
    talk, keys = terminal()
    talk.refuse.append(StoreUnavailable())
    keys.send_text("one\rtwo\r\x04")
    assert await talk.run() == 0
    assert talk.err.getvalue() == f"{StoreUnavailable().notice}\n"
    assert talk.asked == ["two"]


async def test_the_last_runs_question_is_answered_with_its_words(terminal: Terminal) -> None:
    """A question that was not answered before the process died is answered in the next run, and quoted."""
    talk, keys = terminal()
    old = question("console", "What was\nthat again?", id="old", at=1.0)
    running = asyncio.create_task(talk.run())
    await talk.ready.wait()
    draft = FakeDraft("t0", is_takeover=True)
    async with talk.console.reply(old.address, draft) as reply:
        reply.show("This is not shown before it is who")
        await reply.finish("It was this.")
    keys.send_text("\x04")
    await running
    printed = talk.out.getvalue()
    assert printed.index("What was…") < printed.index("It was this.")
    assert "not shown" not in printed
