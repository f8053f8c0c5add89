"""What both sides say: the same questions, and the same conversation behind them."""

from dataclasses import dataclass
from typing import Literal

from bot.stored import Entry

SYSTEM = "You are an assistant in a team's chat. Answer in the language of the question, plainly and briefly."
AT = 1_800_000_000.0
STAMP = "Fri 2027-01-15 08:00"
PERSON = "ada"
# About 195 characters, as in the baselines of other history stores that docs/performance.md quotes.
_SAID = (
    "We looked at the second plan again this morning, and the numbers hold: it costs a little more in the first "
    "month, less from the third on, and nobody has to move before the summer. What do you think?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """So many turns in a row, `lanes` of them at once, in conversations that hold `stored` messages before."""

    turns: int
    lanes: int = 1
    stored: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a block cost on one side: CPU is user and system time of the side's own process."""

    turns: int
    wall_s: float
    cpu_s: float
    p50_ms: float

    @property
    def cpu_ms(self) -> float:
        """CPU of one turn."""
        return self.cpu_s / self.turns * 1000

    @property
    def per_s(self) -> float:
        """Turns in a second."""
        return self.turns / self.wall_s


def question(number: int) -> str:
    """The text of one question."""
    return f"Which of the three plans did we choose in the end, and why not number {number}?"


def stored(count: int) -> list[Entry]:
    """So many messages of a conversation: questions of one person, each with its answer."""
    return [_entry(number) for number in range(count)]


def _entry(number: int) -> Entry:
    is_answer = number % 2 == 1
    kind: Literal["answer", "asked"] = "answer" if is_answer else "asked"
    asked = (f"s{number - 1}",) if is_answer else ()
    return Entry(
        id=f"s{number}",
        kind=kind,
        text=_SAID,
        at=AT,
        author="" if is_answer else PERSON,
        name="" if is_answer else "Ada",
        stamp="" if is_answer else STAMP,
        questions=asked,
        turn=f"t{number}" if is_answer else "",
        parts=(f"s{number}",) if is_answer else (),
    )
