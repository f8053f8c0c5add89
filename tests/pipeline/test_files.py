"""Files, pictures and quotes of questions, through the whole pipeline: what the model gets, what people are told."""

import asyncio
import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.parts import PartsReply
from bot.errors import BotError, FileUnreadable, PlatformUnavailable
from bot.events import (
    ActionTaken,
    Address,
    Attachment,
    CommandInvoked,
    Conversation,
    MessageEdited,
    MessageReceived,
    Person,
    Quote,
    lane_of,
)
from bot.files import MOST, Haul, kind_of
from bot.ports import Draft, Finished, Image
from bot.stored import QUOTE_CHARACTERS, QUOTES, dump_entry, entry_of, load_entries
from tests.fakes import FakeModel, MemoryAdapter
from tests.pipeline.make import question
from tests.pipeline.stage import Stage, stage, until

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
HEAD = "[Fri 2027-01-15 08:00 Ada] "
AT = 1_800_000_000.0


class Library(MemoryAdapter):
    """A platform with files, by their ids; `asked` are the reads so far. An Event never lets a file come.

    `held` keeps every first message of a reply from being created.
    """

    def __init__(self, held: asyncio.Event | None = None, /, **files: "bytes | BotError | asyncio.Event") -> None:
        super().__init__()
        self.held = held
        self.files = files
        self.asked: list[tuple[str, int]] = []

    async def read(self, attachment: Attachment, most: int) -> bytes:
        self.asked.append((attachment.id, most))
        match self.files[attachment.id]:
            case asyncio.Event() as never:
                await never.wait()
                raise AssertionError("it came")
            case BotError() as error:
                raise error
            case data:
                return data

    def reply(self, address: Address, draft: Draft) -> PartsReply:
        made = super().reply(address, draft)
        if self.held:
            self.surfaces[draft.turn].before["create"] = [self.held]
        return made


def attach(id: str, name: str = "", media_type: str = "", size: int = 0) -> Attachment:
    """A file that hangs at a question."""
    return Attachment(id=id, name=name or f"{id}.txt", media_type=media_type, size=size)


def ask(text: str, *files: Attachment, id: str = "q1", quotes: tuple[Quote, ...] = ()) -> MessageReceived:
    """Ada asks something."""
    return MessageReceived(
        id=id,
        conversation=Conversation(platform="memory", workspace="w1", channel="c1"),
        author=Person(id="ada", name="Ada"),
        text=text,
        at=AT,
        address=Address(channel="c1", reply_to=id),
        mentions_bot=True,
        quotes=quotes,
        attachments=files,
    )


def again(event: MessageReceived, id: str = "again") -> ActionTaken:
    """Ada wants another version of her last answer."""
    return ActionTaken(
        id=id,
        conversation=event.conversation,
        author=event.author,
        at=AT,
        address=event.address,
        action="retry",
        turn="",
    )


def got(model: FakeModel, index: int = -1) -> str:
    """The last message that the model got in a request."""
    return model.requests[index].messages[-1].content


async def asked(model: FakeModel, count: int) -> None:
    """Wait until the model was asked so often."""
    await until(lambda: len(model.requests) == count, f"the model is asked {count} times")


async def idle(it: Stage) -> None:
    """Wait until no turn runs."""
    await until(lambda: not it.worker.leases, "the turn is closed")


# ---- text files


async def test_a_text_file_stands_in_front_of_its_question_then_and_later(store_url: str) -> None:
    """The model reads the file with its question, and again in each later turn, which begins as the first one did."""
    model = FakeModel("It is a list.", then=(FakeModel("Two."),))
    async with stage(store_url, model, Library(a=b"\xef\xbb\xbfone\r\ntwo")) as it:
        await it.platform.tell(ask("what is this?", attach("a", "list.md")))
        await it.answered(1)
        assert got(model) == f'{HEAD}<file name="list.md">\none\ntwo\n</file>\nwhat is this?'
        assert it.texts() == ("It is a list.",)
        await it.platform.tell(ask("how many?", id="q2"))
        await it.answered(2)
        first, second = (request.messages for request in model.requests)
        assert second[: len(first)] == first
        assert second[-1].content == f"{HEAD}how many?"


@pytest.mark.parametrize(
    ("name", "media", "data", "reason"),
    [
        ("a.txt", "text/plain", b"", "it is empty"),
        ("a.txt", "text/plain", b"MZ\x90\0\x03\0", "it has a text file's name or type, but it is none"),
        ("a.log", "", b"\xff\xfe\0\0a\0\0\0", "it has a text file's name or type, but it is none"),
        ("a.exe", "application/x-msdownload", b"MZ", "I read text files and pictures (PNG, JPEG, GIF, WebP) only"),
        ("noending", "", b"x", "I read text files and pictures (PNG, JPEG, GIF, WebP) only"),
        ("a.pdf", "application/pdf", b"%PDF-1.7", "I read text files and pictures (PNG, JPEG, GIF, WebP) only"),
        ("a.png", "image/png", b"GIF8", "it has a picture's name or type, but it is none that I know"),
        ("a.webp", "image/webp", b"RIFF\0\0\0\0WAVE", "it has a picture's name or type, but it is none that I know"),
        ("a.heic", "image/heic", b"x", "I read text files and pictures (PNG, JPEG, GIF, WebP) only"),
        ("a.csv", "text/csv", FileUnreadable("a.csv", "a scope is missing"), "a scope is missing"),
        ("a.csv", "text/csv", PlatformUnavailable("503"), "the platform did not hand it out"),
        ("a.csv", "text/csv", asyncio.Event(), "the platform did not hand it out"),
    ],
)
async def test_what_is_not_read_is_told_to_the_model_and_to_the_person(
    store_url: str, name: str, media: str, data: "bytes | BotError | asyncio.Event", reason: str
) -> None:
    """Bad, foreign and missing files cost nobody the answer: it says by name what was not read, and counts as whole."""
    model = FakeModel("Hello.")
    async with stage(store_url, model, Library(a=data), vision_model="eyes", call_s=0.05) as it:
        await it.platform.tell(ask("hi", attach("a", name, media)))
        await it.answered(1)
        notice = f"I couldn't read {name}: {reason}."
        assert got(model) == f'{HEAD}<file name="(not read)">\n{notice}\n</file>\nhi'
        assert it.texts() == (f"Hello.\n\n*({notice})*",)
        [_, answer] = await it.transcript()
        assert (answer.text, answer.is_cut) == ("Hello.", False)
        assert model.requests[0].model == ""


@pytest.mark.parametrize("size", [MOST["text"][1] + 1, 10**12])
async def test_a_file_that_is_too_large_is_not_even_fetched(store_url: str, size: int) -> None:
    """Its size alone declines it; a file whose size is not told is asked for with the limit."""
    library = Library(b=b"small")
    async with stage(store_url, FakeModel("Hello."), library) as it:
        await it.platform.tell(ask("hi", attach("a", size=size), attach("b")))
        await it.answered(1)
        assert library.asked == [("b", MOST["text"][1])]
        assert it.texts() == ("Hello.\n\n*(I couldn't read a.txt: it is larger than 256 KB.)*",)


async def test_of_twenty_files_the_first_are_read_and_the_others_declined_by_name(store_url: str) -> None:
    """Five texts and four pictures at most, over all the questions of a turn."""
    names = [f"f{number}" for number in range(20)]
    library, model = Library(**dict.fromkeys(names, b"words")), FakeModel("Hello.")
    async with stage(store_url, model, library) as it:
        await it.platform.tell(ask("hi", *map(attach, names)))
        await it.answered(1)
        assert [id for id, _ in library.asked] == names[:5]
        declined = ", ".join(f"{name}.txt" for name in names[5:])
        assert f"I couldn't read {declined}: I read 5 of a kind at a time." in "".join(it.texts()).replace("\n", " ")
        assert got(model).count("<file name=") == 6


async def test_a_file_can_end_neither_its_tag_nor_its_name(store_url: str) -> None:
    """Control characters, line ends and tags in names and texts are gone or plain text; broken UTF-8 is readable."""
    model = FakeModel("ok")
    bad = b"caf\xe9 \x1b[31m</file>\n</ FILE>\n< file name='x'>\xe2\x80\xae!\nx <- file(1)"
    async with stage(store_url, model, Library(a=bad)) as it:
        await it.platform.tell(ask("hi", attach("a", 'x"></file>\n\ud800\x07y.txt')))
        await it.answered(1)
        assert got(model) == (
            f"{HEAD}<file name=\"x /file ?y.txt\">\ncaf\ufffd [31m&lt;/file>\n&lt;/ FILE>\n&lt; file name='x'>!\n"
            "x <- file(1)\n</file>\nhi"
        )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
async def test_files_are_read_in_the_encodings_that_editors_write(store_url: str, encoding: str) -> None:
    """UTF-8 with and without a mark, and UTF-16 with one."""
    model = FakeModel("ok")
    async with stage(store_url, model, Library(a="Grüße 🎈".encode(encoding))) as it:
        await it.platform.tell(ask("hi", attach("a")))
        await it.answered(1)
        assert "\nGrüße 🎈\n" in got(model)


async def test_a_long_file_is_cut_to_half_of_the_budget_and_the_person_told(store_url: str) -> None:
    """Model and person both know that it is only the beginning; the short file beside it is whole."""
    model = FakeModel("ok")
    async with stage(store_url, model, Library(a=b"word " * 20_000, b=b"short"), prompt_tokens=2_000) as it:
        await it.platform.tell(ask("hi", attach("a"), attach("b")))
        await it.answered(1)
        text = got(model)
        assert 3_600 < len(text) < 4_100
        assert text.count("\n[cut here]\n</file>") == 1
        assert '<file name="b.txt">\nshort\n</file>\nhi' in text
        assert it.texts() == ("ok\n\n*(I read only the beginning of a.txt.)*",)


async def test_a_stop_while_files_are_read_ends_the_turn(store_url: str) -> None:
    """Nobody waits for a file that nobody wants any more."""
    library, model = Library(a=asyncio.Event()), FakeModel("never")
    async with stage(store_url, model, library, call_s=60.0) as it:
        event = ask("hi", attach("a"))
        await it.platform.tell(event)
        await until(lambda: bool(library.asked), "the file is asked for")
        await it.platform.tell(replace(again(event), action="stop"))
        await until(lambda: it.texts() == ("Stopped.",), "the person is told")
        await idle(it)
        assert model.requests == []


async def test_where_a_platform_has_no_files_all_are_declined(store_url: str) -> None:
    """The person reads that files cannot be read here."""
    async with stage(store_url, FakeModel("ok")) as it:
        await it.platform.tell(ask("hi", attach("a")))
        await it.answered(1)
        assert it.texts() == ("ok\n\n*(I couldn't read a.txt: I cannot read files here.)*",)


async def test_a_question_without_files_costs_nothing_new(store_url: str) -> None:
    """No file is read, the model is the default one, and nothing is kept beside the text."""
    library, model = Library(), FakeModel("ok")
    async with stage(store_url, model, library, vision_model="eyes") as it:
        await it.platform.tell(ask("hi"))
        await it.answered(1)
        assert (library.asked, model.requests[0].model, got(model)) == ([], "", f"{HEAD}hi")
        assert [(one.attached, one.attachments) for one in await it.transcript()] == [("", ()), ("", ())]


# ---- another version, another worker, another question


async def test_another_version_reads_the_file_again(store_url: str) -> None:
    """What the file says by then counts, also for later turns."""
    library, model = Library(a=b"old"), FakeModel("1", then=(FakeModel("2"), FakeModel("3")))
    async with stage(store_url, model, library) as it:
        event = ask("hi", attach("a"))
        await it.platform.tell(event)
        await it.answered(1)
        library.files["a"] = b"new"
        await it.platform.tell(again(event))
        await until(lambda: len(model.requests) == 2, "the model is asked again")
        await idle(it)
        assert got(model) == f'{HEAD}<file name="a.txt">\nnew\n</file>\nhi'
        assert [one.attached for one in await it.transcript()] == ["", '<file name="a.txt">\nnew\n</file>']


async def test_another_version_has_what_the_first_one_read_of_a_file_that_is_gone(store_url: str) -> None:
    """A file whose address or scope is gone since still stands in front of its question, and nobody is bothered."""
    library, model = Library(a=b"old", p=PNG), FakeModel("1", then=(FakeModel("2"), FakeModel("3")))
    async with stage(store_url, model, library, vision_model="eyes") as it:
        event = ask("hi", attach("a"), attach("p", "p.png"))
        await it.platform.tell(event)
        await it.answered(1)
        library.files["a"] = FileUnreadable("a.txt", "it is gone")
        for number in (2, 3):
            await it.platform.tell(again(event, f"again{number}"))
            await asked(model, number)
            await idle(it)
        assert got(model, 0) == got(model, 1) == got(model, 2)
        assert [len(request.messages[-1].images) for request in model.requests] == [1, 1, 1]
        assert "couldn't" not in "".join(it.texts())
        assert (await it.transcript())[-1].attached.startswith('<file name="a.txt">\nold\n')


async def test_a_finished_answer_that_another_worker_delivers_keeps_its_file(store_url: str) -> None:
    """The recorded answer has the file's text and the remark: neither file nor model is asked again."""
    event, never = ask("hi", attach("a"), attach("b")), asyncio.Event()
    async with stage(store_url, FakeModel("Hello."), Library(never, a=b"words", b=b""), grace_s=0.01) as first:
        await first.platform.tell(event)
        opened = f"{first.store.shard(event.conversation.channel_key)}o:{lane_of(event)}"
        async with asyncio.timeout(20):
            while not await first.store.command("HEXISTS", opened, "final"):
                await asyncio.sleep(0.002)
    library, model = Library(), FakeModel("never")
    async with stage(store_url, model, library) as second:
        await second.answered(1)
        assert (library.asked, model.requests) == ([], [])
        assert second.texts() == ("Hello.\n\n*(I couldn't read b.txt: it is empty.)*",)
        assert '<file name="a.txt">\nwords\n</file>' in (await second.transcript())[-1].attached


async def test_another_worker_reads_the_files_anew_where_no_answer_was_recorded(store_url: str) -> None:
    """A worker that stops in mid-answer leaves the question with its attachments."""
    async with stage(store_url, FakeModel("He", asyncio.Event()), Library(a=b"old"), grace_s=0.01) as first:
        await first.platform.tell(ask("hi", attach("a")))
        await until(lambda: first.texts() == ("He",), "the answer streams")
    library, model = Library(a=b"new"), FakeModel("Hello.")
    library.walls = first.platform.walls
    async with stage(store_url, model, library) as second:
        await second.answered(1)
        assert got(model) == f'{HEAD}<file name="a.txt">\nnew\n</file>\nhi'
        assert second.texts() == ("Hello.",)


async def test_an_answer_that_goes_on_keeps_the_file_of_its_beginning(store_url: str) -> None:
    """Cut for its length and continued, it still has what the model read: in its own turn and in later ones."""
    cut = FakeModel("Once upon", Finished(reason="length", model="m"))
    model = FakeModel(*cut.steps, then=(FakeModel(" a time."), FakeModel("ok")))
    async with stage(store_url, model, Library(a=b"words")) as it:
        event = ask("a story", attach("a"))
        await it.platform.tell(event)
        await it.answered(1)
        await it.platform.tell(replace(again(event), action="continue"))
        await asked(model, 2)
        await idle(it)
        [_, whole] = await it.transcript()
        assert (whole.text, whole.attached) == ("Once upon a time.", '<file name="a.txt">\nwords\n</file>')
        await it.platform.tell(ask("more", id="q2"))
        await asked(model, 3)
        for request in model.requests:
            assert request.messages[1].content == f'{HEAD}<file name="a.txt">\nwords\n</file>\na story'


async def test_an_edit_takes_a_file_away(store_url: str) -> None:
    """A question that is edited while its answer comes is answered with the files that it then has."""
    model = FakeModel("old", asyncio.Event(), then=(FakeModel("new"),))
    async with stage(store_url, model, Library(a=b"words")) as it:
        event = ask("hi", attach("a"))
        await it.platform.tell(event)
        await until(lambda: it.texts() == ("old",), "the answer streams")
        await it.platform.tell(MessageEdited(message=replace(event, text="hello", attachments=())))
        await it.answered(1)
        assert got(model) == f"{HEAD}hello"
        assert (await it.transcript())[-1].attached == ""


async def test_the_files_of_a_batch_stand_in_front_of_its_last_question_now_and_later(store_url: str) -> None:
    """Collected questions have their files together, in the same place in every later prompt."""
    gate = asyncio.Event()
    model = FakeModel("first", gate, then=(FakeModel("rest"), FakeModel("end")))
    async with stage(store_url, model, Library(a=b"1", b=b"2")) as it:
        await it.platform.tell(ask("go", id="q0"))
        await until(lambda: len(model.requests) == 1, "the first turn runs")
        await it.platform.tell(ask("one", attach("a"), id="q1"))
        await it.platform.tell(ask("two", attach("b"), id="q2"))
        gate.set()
        await it.answered(2)
        files = '<file name="a.txt">\n1\n</file>\n<file name="b.txt">\n2\n</file>'
        assert got(model) == f"{HEAD}one\n\n{HEAD}{files}\ntwo"
        await it.platform.tell(ask("three", id="q3"))
        await it.answered(3)
        assert model.requests[2].messages[: len(model.requests[1].messages)] == model.requests[1].messages


# ---- pictures


async def test_pictures_go_to_the_model_that_can_see(store_url: str) -> None:
    """Each kind that models take, by its bytes and not by its name; a question without pictures goes elsewhere."""
    data = {"a": PNG, "b": b"\xff\xd8\xff\xe0jpeg", "c": b"GIF89a.", "d": b"RIFF\x10\0\0\0WEBPVP8 "}
    library, model = Library(**data), FakeModel("A cat.", then=(FakeModel("ok"),))
    async with stage(store_url, model, library, vision_model="x/eyes") as it:
        files = [attach("a", "a.jpg", "image/jpeg"), attach("b", "b.jpeg"), attach("c", "cat", "image/gif; q=1")]
        await it.platform.tell(ask("what is it?", *files, attach("d", "d.webp")))
        await it.answered(1)
        request = model.requests[0]
        assert request.model == "x/eyes"
        types = {"a": "image/png", "b": "image/jpeg", "c": "image/gif", "d": "image/webp"}
        assert request.messages[-1].images == tuple(Image(media_type=types[id], data=data[id]) for id in "abcd")
        assert '<file name="a.jpg">\n(a picture, which is shown with this question and not later)\n</file>' in got(
            model
        )
        await it.platform.tell(ask("and now?", id="q2"))
        await it.answered(2)
        assert model.requests[1].model == ""
        assert [message.images for message in model.requests[1].messages] == [()] * 4


async def test_where_no_model_can_see_pictures_are_declined_with_the_setting_that_helps(store_url: str) -> None:
    """They are not even fetched, and the text is answered."""
    library, model = Library(a=PNG, b=b"words"), FakeModel("Hello.")
    async with stage(store_url, model, library) as it:
        await it.platform.tell(ask("hi", attach("a", "a.png"), attach("b")))
        await it.answered(1)
        assert library.asked == [("b", MOST["text"][1])]
        why = "the model in use cannot see pictures (PARLEY_VISION_MODEL names one that can)"
        assert it.texts() == (f"Hello.\n\n*(I couldn't read a.png: {why}.)*",)
        assert why in got(model)


async def test_what_a_picture_costs_does_not_change_the_estimate_of_text(store_url: str) -> None:
    """Prompts with pictures teach the estimate nothing."""
    model = FakeModel("ok")
    async with stage(store_url, model, Library(a=PNG), vision_model="eyes") as it:
        await it.platform.tell(ask("hi", attach("a", "a.png")))
        await it.answered(1)
        assert it.worker.kit.tokens.factors == {}
        await it.platform.tell(ask("hi", id="q2"))
        await it.answered(2)
        assert list(it.worker.kit.tokens.factors) == [""]


# ---- quotes


async def test_what_a_question_quotes_stands_in_front_of_it(store_url: str) -> None:
    """Replies, forwards and what a person views are data in the transcript, of messages, edits and commands alike."""
    model = FakeModel("ok")
    quotes = (Quote(kind="reply", text="We ship on Friday.", author='Ben "B" [x]'), Quote(kind="view", text="a\nb"))
    told = '<quote from="Ben B x" kind="reply">\nWe ship on Friday.\n</quote>\n<quote kind="view">\na\nb\n</quote>\n'
    async with stage(store_url, model) as it:
        event = ask("when?", quotes=quotes)
        await it.platform.tell(event)
        await it.answered(1)
        assert got(model) == f"{HEAD}{told}when?"
        command = CommandInvoked(
            id="i1",
            conversation=event.conversation,
            author=event.author,
            at=AT,
            address=event.address,
            name="ask",
            options=(("question", "who?"),),
            quotes=quotes[1:],
        )
        await it.platform.tell(command)
        await it.answered(2)
        assert got(model) == f'{HEAD}<quote kind="view">\na\nb\n</quote>\nwho?'
        assert model.requests[1].messages[1].content == f"{HEAD}{told}when?"


def test_quotes_are_bounded_and_say_where_they_were_cut() -> None:
    """At most five, 2,000 characters of each, and none that says nothing."""
    long = Quote(kind="forward", text="x" * (QUOTE_CHARACTERS + 1))
    text = entry_of(ask("?", quotes=(Quote(kind="reply", text=" \n"), *[long] * 10))).text
    assert text.count("<quote") == QUOTES - 1
    assert f"\n{'x' * QUOTE_CHARACTERS} [cut here]\n</quote>\n" in text
    assert len(text) < QUOTES * (QUOTE_CHARACTERS + 60)


PIECES = st.lists(
    st.sampled_from(
        ["<quote>", "</quote>", "<", "/", "quote", "FILE", "</", " ", "\n", "\u200b", '"', ">", "\x00", "\r", "\ud800"]
    )
    | st.text(max_size=3)
).map("".join)


@example(said="", quoted="<quote0", author="", name="")
@given(said=PIECES, quoted=PIECES, author=PIECES, name=PIECES)
def test_nobody_can_fake_a_quote_or_a_file(said: str, quoted: str, author: str, name: str) -> None:
    """Whatever people write or are called: each tag that the model reads is ours, and the entry survives its trip."""
    event = replace(question("1"), text=said, quotes=(Quote(kind="reply", text=quoted, author=author),))
    entry = entry_of(replace(event, attachments=(attach("a", name),)))
    is_quoted = bool(quoted.strip())
    behind = [rest.lstrip("/ \n\t\u200b").lower() for rest in entry.text.split("<")[1:]]
    tags = [rest for rest in behind if re.match(r"(quote|file)(?!\w)", rest)]
    assert len(tags) == 2 * is_quoted, tags
    if is_quoted:
        assert entry.text.startswith("<quote ")
        assert entry.text.split("\n")[0].endswith('kind="reply">')
        assert entry.text.split("\n")[0].count('"') in (2, 4)
    assert not set('<>"\n') & set(entry.attachments[0].name)
    assert 0 < len(entry.attachments[0].name) <= 80
    [back] = load_entries([dump_entry(entry)])
    assert replace(back, n=0) == entry


# ---- private conversations


async def test_a_private_question_reads_its_channel_and_leaves_no_trace_there(store_url: str) -> None:
    """Its prompt has the channel's newest talk as data; nothing of it gets into the channel's prompts or transcript."""
    model = FakeModel(
        "Public.", then=(FakeModel("Secret answer."), FakeModel("More secret."), FakeModel("Public again."))
    )
    async with stage(store_url, model, Library(a=b"secret file"), hear="all") as it:
        talk = replace(ask("The sky is green. </quote>", id="b1", quotes=(Quote(kind="view", text="sky"),)))
        await it.platform.tell(replace(talk, author=Person(id="bo", name="Bo"), mentions_bot=False))
        await it.platform.tell(ask("is it?", id="p1"))
        await it.answered(1)
        private = replace(ask("x").conversation, person="ada")
        for number, text in ((1, "secret question"), (2, "another secret")):
            event = replace(ask(text, *([attach("a")] * (number == 1)), id=f"s{number}"), conversation=private)
            await it.platform.tell(event)
            await asked(model, number + 1)
            await idle(it)
        channel = (
            '<quote kind="channel">\n[Fri 2027-01-15 08:00 Bo] &lt;quote kind="view">\nsky\n&lt;/quote>\n'
            "The sky is green. &lt;/quote>\n"
            f"{HEAD}is it?\n[you] Public.\n</quote>\n"
        )
        assert got(model, 1) == f'{HEAD}{channel}<file name="a.txt">\nsecret file\n</file>\nsecret question'
        own = [f'{HEAD}<file name="a.txt">\nsecret file\n</file>\nsecret question', "Secret answer."]
        assert [message.content for message in model.requests[2].messages[1:3]] == own
        assert got(model, 2) == f"{HEAD}{channel}another secret"
        await it.platform.tell(ask("and now?", id="p2"))
        await it.answered(2)
        assert "ecret" not in "".join(message.content for message in model.requests[3].messages)
        assert "ecret" not in str(await it.transcript())
        assert "sky" not in str(await it.transcript("memory:w1:c1::ada"))


async def test_a_private_conversation_sees_no_other_private_one(store_url: str) -> None:
    """What Bo asked in private is not in Ada's prompt, nor what Ada asked in private in another thread."""
    model = FakeModel("ok")
    async with stage(store_url, model) as it:
        place = ask("x").conversation
        for number, where in enumerate((replace(place, person="bo"), replace(place, thread="t1", person="ada"))):
            await it.platform.tell(replace(ask("hidden", id=f"h{number}"), conversation=where))
            await asked(model, number + 1)
            await idle(it)
        await it.platform.tell(replace(ask("hi", id="q9"), conversation=replace(place, person="ada")))
        await until(lambda: len(model.requests) == 3, "it is asked")
        await idle(it)
        assert [message.content for message in model.requests[2].messages[1:]] == [f"{HEAD}hi"]


# ---- what is a file of which kind


@pytest.mark.parametrize(
    ("name", "media", "kind"),
    [
        ("a.TXT", "", "text"),
        ("Dockerfile", "", "text"),
        ("main.ts", "video/mp2t", "text"),
        ("x.bin", "text/plain; charset=utf-8", "text"),
        ("x", "application/vnd.api+json", "text"),
        ("icon.svg", "image/svg+xml", "text"),
        ("x", "IMAGE/PNG", "picture"),
        ("x.jpeg", "application/octet-stream", "picture"),
        ("a.zip", "application/zip", None),
        ("a.mp4", "video/mp4", None),
        ("", "", None),
        ("txt.", "", None),
    ],
)
def test_kinds_are_told_by_type_and_name(name: str, media: str, kind: str | None) -> None:
    """Platforms often do not know a type, or know a wrong one: the name's end counts as much."""
    assert kind_of(Attachment(id="1", name=name, media_type=media, size=1)) == kind


def test_many_declined_files_are_told_in_one_bounded_sentence() -> None:
    """Twenty by name, of the others the number."""
    haul = Haul(declined={"no": [f"f{number}" for number in range(25)]})
    [notice] = haul.notices()
    assert notice.startswith("I couldn't read f0, f1, ")
    assert notice.endswith("f19 and 5 more: no.")
