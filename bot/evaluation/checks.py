"""The checks that an answer must pass, and who looks: our own rules, a judging model, or the likeness of two texts."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from math import fsum, hypot
from operator import mul
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from bot.errors import BotError
from bot.evaluation.texts import texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found. `by` says who judged where more than one could; `detail` what was wrong, or why it passed."""

    check: str
    passed: bool
    by: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aids:
    """What some checks need. `judge` takes a rubric and the answer; `likeness` two texts: 0 to 1, and how it was found.

    Both raise BotError; without a judge there is None.
    """

    judge: Callable[[str, str], Awaitable[tuple[bool, str]]] | None
    likeness: Callable[[str, str], Awaitable[tuple[float, Literal["embeddings", "word overlap"]]]]


def _schema(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        import_module("jsonschema").Draft202012Validator.check_schema(schema)
    except ImportError:
        raise ValueError("needs the package jsonschema: pip install 'parley-bot[eval]'") from None
    except import_module("jsonschema").SchemaError as error:
        raise ValueError(f"it is no JSON schema: {error.message}") from None
    return schema


def some(values: tuple[object, ...]) -> tuple[object, ...]:
    """The values themselves; ValueError where there is none."""
    if not values:
        raise ValueError("should have at least one entry")
    return values


Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[
    tuple[Text, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value), AfterValidator(some)
]
_OPTIONS = {"tolerance": "number", "which": "number", "least": "like", "least_overlap": "like"}


class Check(BaseModel):
    """One check: exactly one of the fields down to `judge` is its kind; the others are options of a kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contains: Texts | None = None
    """Each of these texts is in the answer; case and white space do not count."""
    not_contains: Texts | None = None
    """None of these texts is in the answer."""
    regex: re.Pattern[str] | None = None
    """Python's regular expression is found in the answer. `(?i)` at its start ignores case, `(?m)` minds lines."""
    not_regex: re.Pattern[str] | None = None
    """The regular expression is not found in the answer."""
    equals: Text | None = None
    """The answer is this text; case, white space, marks of emphasis and the signs at its ends do not count."""
    number: float | None = None
    """The last number of the answer is this one, give or take `tolerance`; with `which: any` one of its numbers."""
    json_schema: Annotated[dict[str, JsonValue], AfterValidator(_schema)] | None = None
    """The answer, or its only code block, is JSON that fits the schema (draft 2020-12; needs the extra `eval`)."""
    refuses: Literal[True] | None = None
    """The answer declines. Told by the usual phrases in its first 300 characters; a judging model tells better."""
    answers: Literal[True] | None = None
    """The answer does what was asked instead of declining; told as `refuses` is."""
    cites: Texts | None = None
    """The answer names each of these as a link or in brackets. `any`: some source. `none`: no link and no DOI."""
    max_length: Annotated[int, Field(ge=1)] | None = None
    """The answer has at most so many characters."""
    like: Text | None = None
    """The answer means much the same as this text: the cosine of their embeddings is at least `least`; where the server
    has no embeddings, the overlap of their words is at least `least_overlap`, and the report says so."""
    judge: Text | None = None
    """A judging model finds that the answer fulfils this rubric."""

    tolerance: Annotated[float, Field(ge=0)] = 0.0
    which: Literal["last", "any"] = "last"
    least: Annotated[float, Field(ge=0, le=1)] = 0.75
    least_overlap: Annotated[float, Field(ge=0, le=1)] = 0.5

    @model_validator(mode="after")
    def _has_one_kind(self) -> Self:
        kinds = self.model_fields_set - _OPTIONS.keys()
        owners = {_OPTIONS[option] for option in self.model_fields_set & _OPTIONS.keys()}
        if len(kinds) != 1 or owners - kinds:
            raise ValueError(f"each check is exactly one of: {', '.join(KINDS)}; with no other's options")
        return self

    @property
    def kind(self) -> str:
        """The name of its kind."""
        return next(iter(self.model_fields_set - _OPTIONS.keys()))

    def __str__(self) -> str:
        wanted = getattr(self.regex or self.not_regex, "pattern", getattr(self, self.kind))
        return f"{self.kind}: {', '.join(wanted) if isinstance(wanted, tuple) else wanted}"[:160]

    async def look(self, answer: str, aids: Aids) -> Finding:
        """What this check makes of an answer. Raises BotError where it cannot tell, which is no pass."""
        told, is_stance = str(self), bool(self.refuses or self.answers)
        if self.judge or (is_stance and aids.judge):
            if aids.judge is None:
                raise BotError("no model judges here")
            deed = "refuses or declines to do" if self.refuses else "does, without declining,"
            passed, why = await aids.judge(self.judge or f"The answer {deed} what the user asks.", answer)
            return Finding(check=told, passed=passed, by="judge", detail=why)
        if self.like:
            share, by = await aids.likeness(self.like, answer)
            least = self.least if by == "embeddings" else self.least_overlap
            return Finding(check=told, passed=share >= least, by=by, detail=f"{share:.2f}, at least {least:.2f}")
        wrong = self._fault(answer)
        return Finding(check=told, passed=not wrong, by="phrases" if is_stance else "", detail=wrong)

    def _fault(self, answer: str) -> str:
        """What is wrong with the answer; empty where nothing is."""
        text = folded(answer)
        if self.contains:
            return _told("missing", [one for one in self.contains if folded(one) not in text])
        if self.not_contains:
            return _told("found", [one for one in self.not_contains if folded(one) in text])
        if self.regex:
            return "" if self.regex.search(answer) else "not found"
        if self.not_regex:
            return _told("found", [found[0] for found in self.not_regex.finditer(answer)])
        if self.equals:
            return "" if bare(answer) == bare(self.equals) else f"it is: {answer.strip()[:80]}"
        if self.number is not None:
            found = [*numbers(answer)][-1 if self.which == "last" else 0 :]
            is_there = any(abs(one - self.number) <= self.tolerance + 1e-9 for one in found)
            return "" if is_there else _told("found", [f"{one:.15g}" for one in found]) or "no number"
        if self.json_schema is not None:
            return _json_fault(answer, self.json_schema)
        if self.refuses or self.answers:
            said = re.search(texts("asked")["refusal"], answer.replace("\u2019", "'")[:300], re.IGNORECASE)
            return "" if bool(said) == bool(self.refuses) else f"it says: {said[0]}" if said else "no words of refusal"
        if self.max_length:
            return f"{len(answer)} characters" if len(answer) > self.max_length else ""
        return _cites_fault(answer, self.cites or ())


KINDS = [name for name in Check.model_fields if name not in _OPTIONS]

_NUMBER = re.compile(r"(?<![\w.,])(?<![^\W\d]-)[-\u2212]?(?:\d{1,3}(?:[,\u00a0\u202f']\d{3})+|\d+)(?:[.,]\d+)?")
_LINK = re.compile(r"https?://[^\s<>|()\[\]\"'`]+|\bdoi:\s*\S+|\b10\.\d{4,}/\S+", re.IGNORECASE)
_MARK = re.compile(r"\[([^\[\]\n]{1,120})\]")


def _told(what: str, names: Sequence[str]) -> str:
    return f"{what}: {', '.join(names)}"[:160] if names else ""


def _json_fault(answer: str, schema: dict[str, JsonValue]) -> str:
    blocks = re.findall(r"```\w*\n(.*?)```", answer, re.DOTALL)
    try:
        value = json.loads(blocks[0] if len(blocks) == 1 else answer)
    except (ValueError, RecursionError):
        return "it is no JSON"
    wrong = import_module("jsonschema").Draft202012Validator(schema).iter_errors(value)
    return next((f"{error.json_path}: {error.message}"[:160] for error in wrong), "")


def _cites_fault(answer: str, wanted: Sequence[str]) -> str:
    links, marks = [link.rstrip(".,;:!?*_") for link in _LINK.findall(answer)], _MARK.findall(answer)
    if wanted == ("none",):
        return _told("found", links)
    if wanted == ("any",):
        return "" if links or marks else "no link and no source in brackets"
    cited = [folded(source) for source in (*links, *marks)]
    return _told("not cited", [one for one in wanted if not any(folded(one) in source for source in cited)])


def folded(text: str) -> str:
    """Text for a comparison in which case, white space and the width of signs do not count."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def bare(text: str) -> str:
    """`folded`, without marks of emphasis and without the signs at both ends."""
    return folded(re.sub(r"[*_`]", "", text)).strip(" .,;:!?\"'()[]\u2018\u2019\u201c\u201d")


def numbers(text: str) -> Iterator[float]:
    """The numbers of a text in order (`1,305,909`, `3.5`, `3,5`, `-2`); digits inside a word are none."""
    for found in _NUMBER.findall(text):
        plain = re.sub(r"[\u00a0\u202f']", "", found).replace("\u2212", "-")
        if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", plain):
            plain = plain.replace(",", "")
        yield float(plain.replace(",", "."))


def overlap(one: str, other: str) -> float:
    """How many words two texts share: twice the number in both over the number in each, 0 to 1."""
    a, b = (Counter(re.findall(r"\w+", folded(text))) for text in (one, other))
    return 2 * (a & b).total() / max(1, a.total() + b.total())


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """The cosine of the angle between two embeddings, cut off at 0."""
    return max(0.0, fsum(map(mul, one, other)) / (hypot(*one) * hypot(*other) or 1.0))
