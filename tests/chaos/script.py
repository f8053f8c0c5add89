"""What is asked and what the right answer is: both follow from a question's id, so that a checker knows every word."""

import random
import re
from collections.abc import Sequence

from bot.pacing import Limits, split

LIMITS = Limits(characters=400, cadence_s=0.05, sign_every_s=5.0, first_s=0.05)
"""Of the platform of these tests: short messages, so that many an answer needs several."""
SLACK_LIMITS = Limits(characters=700, cadence_s=0.05, sign_every_s=5.0, first_s=0.05)
"""Of Slack, where each further message of an answer costs a second."""
USAGE = (100, 20, 0)
"""What the model's server counts for every answer: input, output and cached tokens."""
_ASKED = re.compile(r"#(q\d+(?:v\d+)?)#")
_ANSWERED = re.compile(r"Answer to (q\d+(?:v\d+)?):")
_WORDS = [
    "the",
    "bot",
    "kills",
    "a",
    "worker",
    "while",
    "another",
    "one",
    "takes",
    "its",
    "turn",
    "and",
    "nobody",
    "who",
    "reads",
    "can",
    "tell",
]


def question(id: str) -> str:
    """What a person writes. An edited question has its version behind its id: "q7v2"."""
    return f"#{id}# and what then?"


def version(id: str) -> tuple[str, int]:
    """The id of the question, and which version of its text this is."""
    question, _, number = id.partition("v")
    return question, int(number or 0)


def answer(id: str) -> str:
    """The one right answer to a question: some short, some of several messages, some with code."""
    dice = random.Random(id)
    lines = [f"Answer to {id}:"]
    for number in range(dice.choice((1, 1, 2, 6, 12))):
        words = [dice.choice(_WORDS) for _ in range(dice.randrange(8, 24))]
        lines.append(f"{id}.{number} " + " ".join(words) + ".")
    if dice.random() < 0.2:
        code = [f"    print({dice.randrange(10**9)})" for _ in range(dice.randrange(2, 20))]
        lines.append("\n".join(["```python", "def f():", *code, "```"]))
    lines.append(f"End of {id}.")
    return "\n\n".join(lines)


def whole(ids: Sequence[str]) -> str:
    """The answer to several questions that were asked together."""
    return "\n\n".join(answer(id) for id in ids)


def asked(prompt: Sequence[str]) -> list[str]:
    """The ids of the questions in these messages to the model, in order."""
    return _ASKED.findall("\n".join(prompt))


def answered(text: str) -> list[str]:
    """The ids of the questions that a text answers, in order."""
    return _ANSWERED.findall(text)


def chunks(text: str) -> tuple[str, ...]:
    """The pieces in which a model says it."""
    return tuple(re.findall(r"(?s).{1,40}", text))


def pages(ids: Sequence[str], limits: Limits = LIMITS) -> tuple[str, ...]:
    """The messages that show the whole answer to these questions."""
    return tuple(part.text for part in split(whole(ids), limits) if part.text.strip())
