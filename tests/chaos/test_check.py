"""The checker itself: it passes a clean record, and it sees each kind of harm that is done to one."""

from dataclasses import replace

from tests.chaos.check import Asked, Books, Kept, Verb, Verdict, Write, check
from tests.chaos.script import pages, whole

LONG = next(f"q{number}" for number in range(100, 999) if len(pages([f"q{number}"])) > 2)
SHORT = next(f"q{number}" for number in range(100, 999) if len(pages([f"q{number}"])) == 1)
ASKED = [
    Asked(id=SHORT, channel="c1", author="ana"),
    Asked(id=LONG, channel="c1", author="ana"),
    Asked(id="q1", channel="c1", author="bo"),
]


def write(verb: Verb, number: int, turn: str, part: int = 0, text: str = "", *, at: float = 0.0) -> Write:
    """One call in channel c1."""
    return Write(at=at, verb=verb, sender="a", message=f"m{number}", channel="c1", turn=turn, part=part, text=text)


def reply(turn: str, *ids: str, first: int) -> list[Write]:
    """A whole answer to these questions, in messages numbered from `first`."""
    return [write("create", first + part, turn, part, text) for part, text in enumerate(pages(ids))]


def kept(*ids: str, first: int) -> Kept:
    """The same in the transcript."""
    return Kept(questions=ids, text=whole(ids), parts=tuple(f"m{first + part}" for part in range(len(pages(ids)))))


WRITES = [*reply("t1", SHORT, first=1), *reply("t2", "q1", first=10), *reply("t3", LONG, first=20)]
BOOKS = Books(
    asked={"c1": [SHORT, "q1", LONG]},
    answers={"c1": [kept(SHORT, first=1), kept("q1", first=10), kept(LONG, first=20)]},
    used=360,
    spent=360,
)


def found(writes: list[Write] = WRITES, books: Books = BOOKS) -> Verdict:
    """What the checker says."""
    return check(ASKED, writes, books)


def test_a_clean_record_passes() -> None:
    """Three answers in two lanes, one of several messages, and books that agree: no violation."""
    assert found().violations == []


def test_questions_that_were_answered_together_pass() -> None:
    """One answer may answer several questions of a lane."""
    writes = [*reply("t1", SHORT, LONG, first=1), *reply("t2", "q1", first=10)]
    answers = {"c1": [kept(SHORT, LONG, first=1), kept("q1", first=10)]}
    assert found(writes, replace(BOOKS, answers=answers, used=240, spent=240)).violations == []


def test_a_lost_answer_is_seen() -> None:
    """A question without a reply."""
    assert found([one for one in WRITES if one.turn != "t2"]).lost == ["q1"]


def test_an_answer_that_was_deleted_is_seen() -> None:
    """A reply that stood once and does not any more."""
    assert found([*WRITES, write("delete", 10, "t2")]).lost == ["q1"]


def test_a_doubled_answer_is_seen() -> None:
    """The same answer in another reply, and a part that stands twice in one."""
    assert found([*WRITES, *reply("t4", "q1", first=40)]).doubled == ["q1 in 2 places"]
    assert found([*WRITES, *reply("t2", "q1", first=40)]).doubled != []


def test_a_cut_answer_is_seen() -> None:
    """The last message of a long answer is missing, or one shows less than the whole."""
    assert found(WRITES[:-1]).cut != []
    assert found([*WRITES, write("edit", 1, "t1", text=pages([SHORT])[0][:-1])]).cut != []


def test_a_reply_that_answers_nothing_is_seen() -> None:
    """A notice that stays, or an answer in the wrong channel."""
    assert found([*WRITES, write("create", 50, "t9", text="Something went wrong.")]).strange != []
    assert found([*WRITES, *(replace(one, channel="c2") for one in reply("t9", "q1", first=50))]).strange != []


def test_a_changed_order_is_seen() -> None:
    """Within a lane the later question is answered first, in the channel or in the transcript; parts change places."""
    assert (
        found([*reply("t3", LONG, first=0), *reply("t1", SHORT, first=8), *reply("t2", "q1", first=10)]).disordered
        != []
    )
    swapped = {"c1": [kept(LONG, first=20), kept("q1", first=10), kept(SHORT, first=1)]}
    assert found(books=replace(BOOKS, answers=swapped)).disordered != []
    moved = [replace(one, message="m90") if one.part == 0 and one.turn == "t3" else one for one in WRITES]
    assert found(moved).disordered != []


def test_books_that_disagree_are_seen() -> None:
    """A question twice in the transcript, one in no turn or in two, other texts, other messages, other charges."""
    assert found(books=replace(BOOKS, asked={"c1": [SHORT, "q1", LONG, "q1"]})).misfiled != []
    assert found(books=replace(BOOKS, answers={"c1": BOOKS.answers["c1"][1:]})).misfiled != []
    assert found(books=replace(BOOKS, answers={"c1": [*BOOKS.answers["c1"], kept("q1", first=10)]})).misfiled != []
    other = [replace(one, text=one.text[:-1]) for one in BOOKS.answers["c1"]]
    assert found(books=replace(BOOKS, answers={"c1": other})).misfiled != []
    elsewhere = [replace(one, parts=("m99",)) for one in BOOKS.answers["c1"]]
    assert found(books=replace(BOOKS, answers={"c1": elsewhere})).misfiled != []
    assert found(books=replace(BOOKS, spent=480)).misfiled != []


def test_what_is_left_over_is_seen() -> None:
    """An open turn, a lease, a dead letter that nobody closes."""
    assert found(books=replace(BOOKS, leftovers=["o:chaos:w1:c1:|ana"])).leftover != []


def test_a_second_message_that_was_deleted_is_reported_and_no_violation() -> None:
    """A message beside another of the same turn and part, gone later, is a flicker with its time."""
    [shown] = reply("t2", "q1", first=40)
    verdict = found([*WRITES, replace(shown, at=1.0), write("delete", 40, "t2", at=3.5)])
    assert verdict.violations == []
    assert (len(verdict.flickers), verdict.longest_flicker_s) == (1, 2.5)


def test_an_answer_to_what_was_edited_or_deleted_before_is_seen() -> None:
    """An answer that was committed after its question had changed; one that a deleted question has left standing."""

    def judge(asked: Asked, books: Books = BOOKS, writes: list[Write] = WRITES) -> Verdict:
        return check([*ASKED[:2], asked], writes, books)

    answers = [replace(one, at=5.0) for one in BOOKS.answers["c1"]]
    late = replace(BOOKS, answers={"c1": answers})
    assert judge(replace(ASKED[2], version=1, edited_at=9.0), late).violations == []
    assert judge(replace(ASKED[2], version=1, edited_at=4.0), late).stale != []
    gone = replace(late, asked={"c1": [SHORT, LONG]})
    assert judge(replace(ASKED[2], deleted_at=9.0), gone).violations == []
    assert judge(replace(ASKED[2], deleted_at=4.0), gone).stale != []
    never = replace(gone, answers={"c1": [answers[0], answers[2]]})
    assert judge(replace(ASKED[2], deleted_at=4.0), never, [one for one in WRITES if one.turn != "t2"]).violations == []
    assert judge(replace(ASKED[2], deleted_at=4.0), never).misfiled != []
