"""What every adapter does, whatever its platform."""

import asyncio

import pytest

from bot.errors import LeaseLost
from bot.ports import Button
from tests.contract.conftest import Stage
from tests.fakes import FakeDraft


def long_text(stage: Stage, messages: int) -> str:
    """Paragraphs for about so many messages of the platform; for one without a limit, a long text."""
    size = min(stage.rig.characters, 12_000) * messages
    paragraph = "\n\nOne more thing that has to be said about it, at some length. "
    return "".join(f"{paragraph}{number}" for number in range(size // len(paragraph))).strip()


def squeezed(*texts: str) -> str:
    """The texts without white space, which a platform may change at the ends of its messages."""
    return "".join("".join(texts).split())


async def seen(stage: Stage) -> list[str]:
    return [text.strip() for text in await stage.rig.seen()]


# ---- what comes in


async def test_a_question_is_asked_once(stage: Stage) -> None:
    """What a person says to the bot arrives once, with author, text and time, however the platform sends it."""
    first = await stage.asked("What is *new*?")
    assert "What is *new*?" in first.text
    assert first.author.id
    assert not first.author.is_bot
    assert first.at > 1_500_000_000
    assert first.conversation.platform == stage.rig.adapter.platform
    async with stage.reply(first, FakeDraft()) as reply:
        await reply.finish("Nothing.")
    second = await stage.asked("And now?")
    assert "And now?" in second.text
    assert second.id != first.id


async def test_talk_is_no_question(editing: Stage) -> None:
    """What people say to each other in a channel is not taken for a question."""
    await editing.rig.say("Lunch?", mention=False)
    assert "And you?" in (await editing.asked("And you?")).text


async def test_the_id_is_the_messages(editing: Stage) -> None:
    """The event carries the platform's id of the message, which is what the same message is recognised by."""
    id = await editing.rig.say("Hello?")
    async with asyncio.timeout(10):
        assert (await editing.questions.get()).id == id


async def test_people_are_told_apart(editing: Stage) -> None:
    """The same person has the same id each time, another one another."""
    ada, bob, again = [(await editing.asked(author=name)).author.id for name in ("ada", "bob", "ada")]
    assert ada == again != bob


# ---- what goes out


async def test_an_answer_is_shown_once_and_whole(stage: Stage) -> None:
    """A streamed answer ends as one message with exactly the final text."""
    question, draft = await stage.asked(), FakeDraft()
    async with stage.reply(question, draft) as reply:
        for end in range(0, 60, 3):
            reply.show("First this. Then that. And in the end all of the rest, too."[:end])
            await asyncio.sleep(0)
        (ref,) = await reply.finish("First this. Then that. And in the end all of the rest, too.")
    assert await seen(stage) == ["First this. Then that. And in the end all of the rest, too."]
    assert draft.refs == {0: ref}


async def test_a_long_answer_is_whole(stage: Stage) -> None:
    """An answer that is longer than a message goes over several, in order, with nothing missing."""
    text = long_text(stage, 3)
    question, draft = await stage.asked(), FakeDraft()
    async with stage.reply(question, draft) as reply:
        for share in range(1, 10):
            reply.show(text[: len(text) * share // 10])
            await asyncio.sleep(0.01)
        refs = await reply.finish(text)
    texts = await seen(stage)
    assert squeezed(*texts) == squeezed(text)
    assert len(texts) == len(refs) == len(draft.refs)
    assert max(map(len, texts)) <= stage.rig.characters


async def test_code_is_shown_as_it_was_written(stage: Stage) -> None:
    """A short code block is not touched."""
    text = "Try this:\n\n```python\nif a < b and b > c:\n    print('*hi* & _bye_')\n```\n\nIt prints `*hi*`."
    question = await stage.asked()
    async with stage.reply(question, FakeDraft()) as reply:
        await reply.finish(text)
    assert await seen(stage) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "Grüße, 世界! 👩‍👩‍👧‍👦 and 🇩🇪, naïve cafe\u0301, שלום, नमस्ते, \U0001d4b3.",
        "a & b < c > d, `<tag attr='x'>`, 5 * 3 * 2, snake_case_name, ~tilde~, \\back\\slash, $HOME, %d {x} [y](z).",
    ],
)
async def test_any_character_arrives(stage: Stage, text: str) -> None:
    """Characters of all scripts, and those that platforms use for markup, arrive as they are."""
    question = await stage.asked()
    async with stage.reply(question, FakeDraft()) as reply:
        reply.show(text[:20])
        await asyncio.sleep(0.03)
        await reply.finish(text)
    assert await seen(stage) == [text]


@pytest.mark.parametrize(
    "mention", ["@everyone", "@here", "<!channel>", "<!here>", "<!everyone>", "<@&5>", "<!subteam^S1>"]
)
async def test_mass_mentions_ping_nobody(stage: Stage, mention: str) -> None:
    """What the model writes never notifies a whole channel or role, neither while streamed nor in the end."""
    question = await stage.asked()
    async with stage.reply(question, FakeDraft()) as reply:
        reply.show(f"Listen, {mention}! You")
        await asyncio.sleep(0.03)
        await reply.finish(f"Listen, {mention}! You too, {mention}.")
    assert await stage.rig.pinged() == ()
    assert len(await seen(stage)) == 1


async def test_a_failure_is_told(stage: Stage) -> None:
    """Where there is no answer the notice is shown in its place, and it ends the wait for it."""
    question = await stage.asked()
    async with stage.reply(question, FakeDraft()) as reply:
        await reply.fail("The model isn't answering.")
    assert await seen(stage) in (["The model isn't answering."], [])  # a pipe's notices go to the other stream
    await stage.asked("Still there?")


async def test_a_failure_keeps_what_was_said(editing: Stage) -> None:
    """A notice stands below the text that was shown."""
    question = await editing.asked()
    async with editing.reply(question, FakeDraft()) as reply:
        reply.show("As I said. ")
        await asyncio.sleep(0.03)
        await reply.fail("The model broke off.")
    assert await seen(editing) == ["As I said.\n\nThe model broke off."]


async def test_a_stopped_answer_keeps_what_was_said(stage: Stage) -> None:
    """Who stops an answer keeps its text so far."""
    question = await stage.asked()
    async with stage.reply(question, FakeDraft()) as reply:
        reply.show("One. Two. Three")
        await asyncio.sleep(0.03)
        await reply.finish("One. Two. Three\n\n*(stopped)*")
    assert await seen(stage) == ["One. Two. Three\n\n*(stopped)*"]


async def test_a_discarded_answer_is_gone(editing: Stage) -> None:
    """A discarded reply leaves no message behind."""
    question, draft = await editing.asked(), FakeDraft()
    async with editing.reply(question, draft) as reply:
        reply.show(long_text(editing, 2))
        await asyncio.sleep(0.1)
        await reply.discard()
    assert await seen(editing) == []
    assert draft.refs == {}


async def test_answers_do_not_mix(editing: Stage) -> None:
    """Two answers that are written at once in one channel both end whole, each in messages of its own."""
    questions = [await editing.asked(f"Question {name}?", author=name) for name in ("ada", "bob")]
    drafts = [FakeDraft(turn) for turn in ("t1", "t2")]
    async with editing.reply(questions[0], drafts[0]) as one, editing.reply(questions[1], drafts[1]) as two:
        for count in range(1, 6):
            one.show("One. " * count)
            two.show("Two. " * count)
            await asyncio.sleep(0.01)
        await asyncio.gather(one.finish("For Ada."), two.finish("For Bob."))
    assert sorted(await seen(editing)) == ["For Ada.", "For Bob."]


async def test_controls_change_nothing_of_the_text(stage: Stage) -> None:
    """A final text with a control under it is shown as it is."""
    question = await stage.asked()
    async with stage.reply(question, FakeDraft()) as reply:
        await reply.finish("Cut", (Button(action="retry", label="Try again", turn="t1"),))
    assert await seen(stage) == ["Cut"]


# ---- what is recorded, and who takes over


async def test_intents_come_before_and_refs_after(editing: Stage) -> None:
    """Each further message is announced before it is created, and each is named right after."""
    question, draft = await editing.asked(), FakeDraft()
    async with editing.reply(question, draft) as reply:
        await reply.finish(long_text(editing, 2))
    records = [entry for entry in draft.log if entry != "writing"]
    assert records[:3] == ["ref 0", "intent 1", "ref 1"]
    assert [draft.log[index - 1] for index, entry in enumerate(draft.log) if entry.startswith("ref")] == (
        ["writing"] * len(draft.refs)
    )


async def test_a_short_answer_is_recorded_once(stage: Stage) -> None:
    """An answer of one message is recorded with its ref and nothing else: its intent came with the claim."""
    question, draft = await stage.asked(), FakeDraft()
    async with stage.reply(question, draft) as reply:
        (ref,) = await reply.finish("Short.")
    assert [entry for entry in draft.log if entry.startswith("ref")] == ["ref 0"]
    assert draft.refs == {0: ref}


async def test_takeover_finds_the_message_whose_ref_was_lost(editing: Stage) -> None:
    """A message that was created but not recorded is found by the next worker and becomes its own."""
    question, draft = await editing.asked(), FakeDraft(lost_at="ref 0")
    with pytest.raises(LeaseLost):
        async with editing.reply(question, draft) as reply:
            await reply.finish("The first try.")
    later = draft.takeover()
    async with editing.reply(question, later) as reply:
        (ref,) = await reply.finish("The second try.")
    assert await seen(editing) == ["The second try."]
    assert later.refs == {0: ref}


async def test_takeover_creates_what_was_only_intended(editing: Stage) -> None:
    """Where the first worker died before its message, the next one creates it, once."""
    question, draft = await editing.asked(), FakeDraft(lost_at="writing")
    with pytest.raises(LeaseLost):
        async with editing.reply(question, draft) as reply:
            await reply.finish("The first try.")
    async with editing.reply(question, draft.takeover()) as reply:
        await reply.finish("The second try.")
    assert await seen(editing) == ["The second try."]


@pytest.mark.parametrize("lost_at", ["ref 1", "intent 2", "ref 2"])
async def test_takeover_overwrites_and_deletes_surplus(editing: Stage, lost_at: str) -> None:
    """A shorter second answer takes the place of the first; what the first had more is deleted."""
    question, draft = await editing.asked(), FakeDraft(lost_at=lost_at)
    with pytest.raises(LeaseLost):
        async with editing.reply(question, draft) as reply:
            await reply.finish(long_text(editing, 4))
    assert len(await seen(editing)) >= 2
    later = draft.takeover()
    async with editing.reply(question, later) as reply:
        refs = await reply.finish("Short.")
    assert await seen(editing) == ["Short."]
    assert later.refs == dict(enumerate(refs))


async def test_takeover_by_a_longer_answer(editing: Stage) -> None:
    """A longer second answer overwrites the messages that are there and goes on below them."""
    question, draft = await editing.asked(), FakeDraft(lost_at="intent 1")
    text = long_text(editing, 3)
    with pytest.raises(LeaseLost):
        async with editing.reply(question, draft) as reply:
            await reply.finish(long_text(editing, 2))
    async with editing.reply(question, draft.takeover()) as reply:
        await reply.finish(text)
    assert squeezed(*await seen(editing)) == squeezed(text)


async def test_a_recorded_answer_is_not_printed_twice(stage: Stage) -> None:
    """A takeover of an answer that was shown whole and recorded shows it no second time."""
    question, draft = await stage.asked(), FakeDraft()
    async with stage.reply(question, draft) as reply:
        refs = await reply.finish("There.")
    async with stage.reply(question, draft.takeover()) as reply:
        assert await reply.finish("There.") == refs
    assert await seen(stage) == ["There."]


async def test_a_takeover_answers_what_nobody_waits_for(stage: Stage) -> None:
    """A question of an earlier run, which this one knows only from its record, is answered as well."""
    question, draft = await stage.asked("From before?"), FakeDraft(lost_at="writing")
    with pytest.raises(LeaseLost):
        async with stage.reply(question, draft) as reply:
            await reply.finish("Lost.")
    async with stage.reply(question, draft.takeover()) as reply:
        await reply.finish("Found again.")
    (text,) = await seen(stage)
    assert text.endswith("Found again.")


async def test_text_that_starts_anew_replaces_the_old(editing: Stage) -> None:
    """An answer that begins again in the same reply leaves nothing of its first words."""
    question = await editing.asked()
    async with editing.reply(question, FakeDraft()) as reply:
        reply.show(long_text(editing, 2))
        await asyncio.sleep(0.05)
        reply.show("No. ")
        await reply.finish("No. Like this.")
    assert await seen(editing) == ["No. Like this."]


async def test_many_questions_at_once(editing: Stage) -> None:
    """Questions that come in quick succession all arrive, in order, and are answered each on its own."""
    for number in range(10):
        await editing.rig.say(f"Question {number}?")
    async with asyncio.timeout(10):
        questions = [await editing.questions.get() for _ in range(10)]
    assert [question.text.split()[-1] for question in questions] == [f"{number}?" for number in range(10)]

    async def answer(number: int) -> None:
        async with editing.reply(questions[number], FakeDraft(f"t{number}")) as reply:
            await reply.finish(f"Answer {number}.")

    await asyncio.gather(*map(answer, range(10)))
    assert sorted(await seen(editing)) == [f"Answer {number}." for number in range(10)]
