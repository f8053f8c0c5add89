"""What a run came to: counts, cost, latency; JSON that can be read back; pages that open and carry nothing foreign."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bot.evaluation import html
from bot.evaluation.report import Report, dump, load, report, rows, rows_by_kind
from bot.evaluation.run import Plan, Results
from bot.evaluation.suite import read
from bot.model.providers import Provider
from tests.evaluation.asking import MakeChain, answering, asked, plan, suite
from tests.servers.model import Answer, ModelServer

EVIL = '<script>alert("1")</script>&<img src=x onerror=y> $body ${title}'
KINDS = "name: '<b>Small</b> & $body'\nkinds: {good: Easy <i>ones</i>., bad: Hard ones.}"
TEXT = suite(
    "id: case-a, kind: good, why: '<u>why</u>', turns: ['say <script>'], checks: [{contains: ok}]",
    "id: case-b, kind: bad, turns: [evil], checks: [{contains: ok}, {max_length: 99}]",
    "id: case-c, kind: bad, turns: [break], checks: [{contains: ok}]",
    head=KINDS,
)


@pytest.fixture
async def mixed(server: ModelServer, make_chain: MakeChain, tmp_path: Path) -> Report:
    """A pass, a failure with an evil answer and an error, of each of two models, the second with an evil name."""
    answers = answering({"say": "ok", "evil": EVIL})
    server.answer = lambda request: Answer(status=400) if request.questions == ("break",) else answers(request)
    return await asked(plan(TEXT, models=("m1", EVIL), repeat=1, persona=EVIL), make_chain(), tmp_path)


def test_counts_and_tables(mixed: Report) -> None:
    """Passes, failures and errors of each model, of all and by kind; an error is no pass."""
    first, second = mixed.summaries()
    assert (first.model, first.passed, first.failed, first.errors, first.share) == ("m1", 1, 1, 1, 1 / 3)
    assert (first.input_tokens, first.output_tokens) == (200, 40)
    assert (second.model, second.passed, second.failed, second.errors) == (EVIL, 1, 1, 1)
    assert rows(mixed)[1][:8] == ["m1", "1", "1", "1", "33%", "200", "40", "unknown"]
    assert rows_by_kind(mixed) == [["kind", "m1", EVIL], ["good", *["1 of 1"] * 2], ["bad", *["0 of 2"] * 2]]
    assert first.total_ms >= first.first_ms > 0


def test_a_report_is_read_back(mixed: Report) -> None:
    """The JSON has everything, its summaries and notes beside it for others."""
    text = dump(mixed)
    assert load(text) == mixed
    assert load(text).plan.digest == mixed.plan.digest
    told = json.loads(text)
    assert [one["passed"] for one in told["summaries"]] == [1, 1]
    assert [trial["outcome"] for trial in told["trials"]] == ["pass", "pass", "fail", "fail", "error", "error"]
    assert told["plan"]["suite"]["cases"][0]["checks"] == [{"contains": ["ok"]}]
    with pytest.raises(ValueError, match="plan"):
        load("{}")


class Page(HTMLParser):
    """An open page: its tags balanced, with attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, str]] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.seen += [(name, value or "") for name, value in attrs]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("make", [html.full, html.comparison])
def test_a_page_opens_and_carries_nothing_foreign(make: "type[str]", mixed: Report) -> None:
    """Well-formed; what models and people wrote is text; nothing is loaded, run or linked."""
    page = Page(str(make(mixed)))
    assert page.open == []
    assert page.tags.isdisjoint({"script", "img", "link", "iframe", "a", "b-", "object", "form", "i", "u"})
    assert {name for name, _ in page.seen} <= {"class", "lang", "charset", "content", "http-equiv", "name"}
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.seen
    assert "url(" not in page.text
    assert "@import" not in page.text
    assert EVIL in page.text
    assert "<u>why</u>" in page.text
    assert page.text.find("case-a") < page.text.find("case-b") < page.text.find("case-c")


def test_the_comparison_puts_models_side_by_side(mixed: Report) -> None:
    """One row a case, one column a model, with passes of how many and the first answer or error."""
    text = Page(html.comparison(mixed)).text
    assert text.count("1 of 1") == 2
    assert text.count("0 of 1") == 4
    assert text.count("ModelRefused") == 2


async def test_cost_where_the_price_is_known(server: ModelServer, make_chain: MakeChain, tmp_path: Path) -> None:
    """Tokens times the price of the dated list, cached ones at theirs, the judge's included; unknown is said so."""
    server.answer = lambda request: Answer(chunks=("Fine.\nVERDICT: PASS",), usage=(1_000_000, 1_000_000, 400_000))
    openai = Provider(name="openai", base_url=server.base_url, key="k", wire="chat")
    chain = make_chain("chat", openai)
    text = suite("id: a, turns: [x], checks: [{judge: Good.}]")
    known = await asked(plan(text, models=("openai/gpt-6-luna",), judge="openai/gpt-6-luna"), chain, tmp_path)
    unknown = await asked(plan(text, models=("m1",), judge="openai/gpt-6-luna"), chain, tmp_path)
    assert known.summaries()[0].cost_usd == pytest.approx(2 * (0.6 * 0.10 + 0.4 * 0.01 + 0.50))
    assert known.summaries()[0].input_tokens == 2_000_000
    assert unknown.summaries()[0].cost_usd is None
    assert any("2026-11-23; unknown for: m1 (tokens only)" in note for note in unknown.notes())


async def test_tokens_that_were_not_told(server: ModelServer, make_chain: MakeChain, tmp_path: Path) -> None:
    """A server that tells no usage has no cost and no tokens in the table, not a cost of nothing."""
    server.answer = lambda request: Answer(chunks=("ok",), usage=None)
    done = await asked(plan(suite("id: a, turns: [x], checks: [{contains: ok}]")), make_chain(), tmp_path)
    assert rows(done)[1][5:8] == ["not told", "not told", "unknown"]


def test_a_report_of_nothing_yet(tmp_path: Path) -> None:
    """A run that was interrupted before its first answer still has its pages."""
    empty = report(Plan(suite=read(TEXT), models=("m1",), max_tokens=9), Results(tmp_path).trials.values())
    assert rows(empty)[1][1:5] == ["0", "0", "0", "0%"]
    assert Page(html.full(empty)).open == Page(html.comparison(empty)).open == []
