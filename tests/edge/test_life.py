"""An adapter's life, which `bot.app` keeps up; with a clock that jumps."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import cast

import pytest

from bot.app import App
from bot.errors import BotError, PlatformUnavailable, SettingsInvalid
from bot.events import Address
from bot.ports import Draft, Intake, Reply
from bot.worker import Worker
from handlers.intake import EventIntake
from tests.fakes.clock import VirtualLoop


class Failing:
    """An adapter whose runs fail one after the other."""

    platform = "p"

    def __init__(self, errors: Sequence[Exception]) -> None:
        self.runs: list[float] = []
        self._errors = list(errors)

    async def run(self, intake: Intake, ready: Callable[[], None]) -> None:
        self.runs.append(asyncio.get_running_loop().time())
        if self._errors:
            raise self._errors.pop(0)

    def reply(self, address: Address, draft: Draft) -> Reply:
        raise NotImplementedError

    async def close(self) -> None:
        pass


def live(errors: Sequence[Exception]) -> list[float]:
    """When a life with these failures was begun anew, in seconds."""
    adapter = Failing(errors)
    app = App(worker=cast(Worker, None), intake=cast(EventIntake, None), adapters={"p": adapter})
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(app._live(adapter, lambda: None))
    return adapter.runs


def test_pauses_double_up_to_five_minutes() -> None:
    """A platform that is away is tried less and less often: Discord counts, and allows 1,000 a day."""
    runs = live([PlatformUnavailable("away")] * 12)
    assert [round(later - earlier) for earlier, later in pairwise(runs)] == [
        *(1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300)
    ]


@pytest.mark.parametrize(
    ("error", "runs", "level", "has_traceback"),
    [
        (PlatformUnavailable("away"), 2, logging.WARNING, False),
        (ValueError("a defect"), 2, logging.ERROR, True),
        (SettingsInvalid(["TOKEN: no"]), 1, logging.ERROR, False),
    ],
)
def test_what_ended_a_run_is_told(
    error: BotError | ValueError, runs: int, level: int, has_traceback: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """What is expected is one line, what is not has its traceback; only settings that must change end the life."""
    assert len(live([error])) == runs
    [record] = [record for record in caplog.records if record.name == "bot.app"]
    assert (record.levelno, record.exc_info is not None) == (level, has_traceback)
    assert str(error) in caplog.text
