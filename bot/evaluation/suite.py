"""What a suite of cases is, and its YAML: read with all its problems at once, and a rated answer written as a case."""

import hashlib
import re
from collections.abc import Hashable, Iterator, Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bot.errors import SettingsInvalid
from bot.evaluation.checks import KINDS, Check, Text, some
from bot.evaluation.texts import texts
from bot.ports import Message


class SuiteInvalid(SettingsInvalid):
    """A suite that cannot be used, or an option that does not fit it; `problems` holds one line for each reason."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Turn(_Part):
    """What the user says, or what the assistant has said before. A plain text in a suite is the user's."""

    user: Text | None = None
    assistant: Text | None = None

    @property
    def message(self) -> Message:
        """This turn as the model reads it; `{{filler N}}` stands for N lines of a dull list."""
        said = re.sub(r"\{\{filler (\d{1,5})\}\}", _filler, self.user or self.assistant or "")
        return Message(role="user" if self.user else "assistant", content=said)


def _ordered(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    given = [turn.user is None for turn in turns]
    is_mixed = any((turn.user is None) == (turn.assistant is None) for turn in turns)
    if is_mixed or given[0] or given[-1] or (True, True) in pairwise(given):
        raise ValueError("each is `user` or `assistant`, first and last the user's, no two of the assistant in a row")
    return turns


OneTurn = Annotated[Turn, BeforeValidator(lambda value: {"user": value} if isinstance(value, str) else value)]


class Case(_Part):
    """One talk with a model and what its last answer must be. A user's turn without an answer behind it is asked."""

    id: Annotated[str, Field(pattern=r"^[\w.-]{1,80}$")]
    kind: str = ""
    why: str = ""
    system: str | None = None
    turns: Annotated[tuple[OneTurn, ...], AfterValidator(some), AfterValidator(_ordered)]
    checks: Annotated[tuple[Check, ...], AfterValidator(some)]


class Suite(_Part):
    """Cases, and what holds for all of them. `kinds` tells in plain words what each kind of case probes."""

    name: Text
    about: str = ""
    system: str | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    kinds: dict[str, str] = {}
    cases: Annotated[tuple[Case, ...], AfterValidator(some)]

    @property
    def digest(self) -> str:
        """The same for the same cases, however their file is written."""
        return hashlib.sha256(self.model_dump_json(exclude_defaults=True).encode()).hexdigest()[:16]


def read(text: str, *, has_judge: bool = True) -> Suite:
    """The suite in a YAML text. Raises SuiteInvalid."""
    try:
        data = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = f"line {mark.line + 1}: " if (mark := getattr(error, "problem_mark", None)) else ""
        said = getattr(error, "problem", None) or str(error)[:120]
        raise SuiteInvalid([f"{line}{said}. Example: {texts('examples')['cases']}"]) from None
    cases = data.get("cases") if isinstance(data, dict) else None
    ids = [case.get("id") if isinstance(case, dict) else None for case in cases] if isinstance(cases, list) else []
    twice = dict.fromkeys(id for id in ids if isinstance(id, str) and ids.count(id) > 1)
    problems = [f"case {id}, id: two cases have this name. Example: id: {id}-2" for id in twice]
    try:
        suite = Suite.model_validate(data)
    except ValidationError as error:
        raise SuiteInvalid([*_explained(error, ids), *problems]) from None
    for case in suite.cases:
        if suite.kinds and case.kind not in suite.kinds:
            problems.append(f"case {case.id}, kind: {case.kind or 'missing'}; example: kind: {next(iter(suite.kinds))}")
        if not has_judge and any(check.judge for check in case.checks):
            problems.append(f"case {case.id}, judge: needs a judging model. Example: --judge gpt-6-luna")
    if problems:
        raise SuiteInvalid(problems)
    return suite


class _Loader(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error: otherwise the first one would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise yaml.constructor.ConstructorError(None, None, f"{twice[0]} stands there twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _explained(error: ValidationError, ids: Sequence[object]) -> Iterator[str]:
    """One line for each problem: the case's name, the field, what is wrong, how it is written."""
    examples = texts("examples")
    for problem in error.errors():
        place, case, message = [*problem["loc"]], "", problem["msg"].removeprefix("Value error, ")
        if len(place) > 1 and isinstance(number := place[1], int):
            case, place = f"case {ids[number] or f'number {number + 1}'}, ", place[2:]
        names = [part for part in place if isinstance(part, str)]
        field = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
        sample = next((examples[name] for name in reversed(names) if name in examples), examples["cases"])
        if problem["type"] == "extra_forbidden":
            meant = get_close_matches(names[-1], KINDS if "checks" in names else [], 1)
            message = "unknown" + (f", did you mean {meant[0]}?" if meant else "")
        elif problem["type"].endswith("_type") and not isinstance(problem["input"], str):
            message += f" (it is {problem['input']!s:.60}; put text in quotes)"
        yield f"{case}{field or 'as a whole'}: {message[0].lower()}{message[1:]}. Example: {sample.strip()}"


def _filler(found: re.Match[str]) -> str:
    return "\n".join(f"Shelf {n} holds {n * 37 % 90 + 10} boxes." for n in range(1, int(found[1]) + 1))


def as_case(turns: Sequence[Message], answer: str, correction: str = "", *, is_good: bool = False) -> str:
    """The YAML of one case, an item to stand under `cases:`, of the turns up to the rated answer.

    With a correction, or where the answer was rated good, new answers must be like that text. An answer that was rated
    bad and not corrected becomes a rubric, for which a suite needs a judging model.
    """
    said: list[tuple[str, str]] = []
    for turn in turns:
        if said and said[-1][0] == turn.role:  # in a suite, a user's turn behind another one would be asked on its own
            said[-1] = (turn.role, f"{said[-1][1]}\n\n{turn.content}")
        else:
            said.append((turn.role, turn.content))
    system = [text for role, text in said if role == "system"]
    digest = hashlib.sha256(repr((said, answer)).encode()).hexdigest()[:8]
    bad = f"The answer does not have the faults that made a person rate this one as bad: {answer}"
    check = {"like": correction or answer} if correction or is_good else {"judge": bad}
    told: dict[str, object] = {"id": f"rated-{digest}", "why": "Its answer was rated.", "system": "\n\n".join(system)}
    told |= {"turns": [{role: text} for role, text in said if role != "system"], "checks": [check]}
    return yaml.safe_dump([told], allow_unicode=True, sort_keys=False, width=110)
