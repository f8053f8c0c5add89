"""Real processes die, sleep and lose their store at every instant that matters; whoever asked is answered once."""

import asyncio
import signal

import pytest

from bot.crashpoints import CrashPoint
from tests.chaos.check import Books, check
from tests.chaos.fleet import Member, store_server
from tests.chaos.scene import CALL_S, Scene, scene
from tests.chaos.script import USAGE, chunks, whole
from tests.pipeline.stage import until
from tests.servers.common import Fault
from tests.servers.model import Answer

PEOPLE = ("ana", "bo", "ana", "bo")
"""Who asks: four questions in two lanes; the answers have one to four messages."""


def ask(it: Scene, *people: str) -> None:
    """Each of them asks something."""
    for author in people:
        it.platform.say("c1", author)


async def leave(member: Member) -> None:
    """SIGTERM, and the end that it asks for: what the process still had to do is done."""
    member.send(signal.SIGTERM)
    assert await member.ended() == 0


@pytest.mark.parametrize("point", CrashPoint)
async def test_a_crash_point(store_url: str, point: CrashPoint) -> None:
    """Killed or stopped at this instant, collecting or not: everything is answered once, whole and in order."""
    late = 1 if point is CrashPoint.SETTLED else 3  # all bills of a shard are settled together
    async with asyncio.TaskGroup() as group:  # each in a database of its own, because most of the time is waiting
        group.create_task(die(store_url, f"{point}:1", collect=True))
        group.create_task(die(f"{store_url}?db=1", f"{point}:{late}", collect=False))
        group.create_task(sleep(f"{store_url}?db=2", f"{point}:1"))


async def die(store_url: str, moment: str, *, collect: bool) -> None:
    """Killed with SIGKILL; the next process answers what is left."""
    async with scene(store_url, collect=collect) as it:
        first = it.start("a", crash=moment)
        await it.listening()
        ask(it, *PEOPLE)
        assert await first.ended() == -signal.SIGKILL
        it.start("b")
        assert (await it.settled()).violations == []


async def sleep(store_url: str, moment: str) -> None:
    """Stopped until another process has answered everything: what it does when it wakes harms nothing."""
    async with scene(store_url, redeliver_s=0.5) as it:
        first = it.start("a", sleep=moment)
        await it.listening()
        ask(it, *PEOPLE)
        await first.sleeps()
        it.start("b")
        assert (await it.settled()).violations == []
        first.send(signal.SIGCONT)
        await leave(first)
        assert (await it.settled()).violations == []


async def asleep_in(it: Scene, call: str, *, is_applied: bool, is_patient: bool = True) -> Member:
    """A process that sleeps in this call to the platform; meanwhile another one has finished its turn.

    The call has (or has not yet) taken effect; only a patient sleeper reads the platform's answer when it wakes.
    """
    first = it.start("a", call_s=60.0 if is_patient else CALL_S)
    await it.listening()
    it.platform.faults.append(Fault(match=call, status=200, is_held=True, is_applied=is_applied))
    ask(it, "ana")
    await it.wrote(lambda platform: platform.held == 1, f"a waits in {call}")
    first.send(signal.SIGSTOP)
    it.start("b")
    assert (await it.settled()).violations == []
    return first


async def test_a_late_edit_is_repaired(store_url: str) -> None:
    """An edit with half an answer arrives after another process has finished: the whole text is sent again."""
    async with scene(store_url, gap_s=0.02) as it:
        first = await asleep_in(it, "edit", is_applied=False)
        whole_answer = it.shown()
        it.platform.release()
        await it.wrote(lambda platform: it.shown() != whole_answer, "the late edit takes effect")
        first.send(signal.SIGCONT)
        await it.repaired()
        assert it.shown() == whole_answer
        assert (await it.settled()).violations == []


async def test_a_late_create_is_deleted(store_url: str) -> None:
    """A message that arrives after another process has finished is an orphan: it is deleted, the answer stays."""
    async with scene(store_url, gap_s=0.02) as it:
        first = await asleep_in(it, "create", is_applied=False)
        it.platform.release()
        await it.wrote(lambda platform: bool(check(platform.asked, platform.writes, Books()).doubled), "it arrives")
        first.send(signal.SIGCONT)
        await it.repaired()
        await leave(first)
        verdict = await it.settled()
        assert (verdict.violations, len(verdict.flickers)) == ([], 1)


async def test_a_late_create_that_nobody_has_heard_of_is_deleted(store_url: str) -> None:
    """The same, but its maker has given up the call when it arrives: the repair looks for what nobody has recorded."""
    async with scene(store_url, gap_s=0.02) as it:
        first = await asleep_in(it, "create", is_applied=False, is_patient=False)
        it.platform.release()
        await it.wrote(lambda platform: bool(check(platform.asked, platform.writes, Books()).doubled), "it arrives")
        first.send(signal.SIGCONT)
        await it.repaired()
        assert (await it.settled()).violations == []


async def test_a_create_that_was_taken_over_is_no_orphan(store_url: str) -> None:
    """The message was found and finished by another process; its maker wakes up and must not have it deleted."""
    async with scene(store_url, gap_s=0.02) as it:
        first = await asleep_in(it, "create", is_applied=True)
        it.platform.release()
        first.send(signal.SIGCONT)
        await it.repaired()
        await leave(first)
        verdict = await it.settled()
        assert verdict.violations == []
        assert [write.verb for write in it.platform.writes if write.verb == "delete"] == []


@pytest.mark.parametrize("change", ["edit", "delete"])
async def test_a_question_that_changes_under_a_worker_that_dies(store_url: str, change: str) -> None:
    """The text was edited or the question deleted while its answer came: the next worker answers what stands now."""
    async with scene(store_url) as it:
        it.model.script(Answer(chunks=chunks(whole(["q7"])), usage=USAGE, stall_at=5))
        first = it.start("a", sleep=f"{CrashPoint.PART_KEPT}:1")
        await it.listening()
        ask(it, "ana")
        await first.sleeps()
        it.start("b")
        await it.listening(2)
        if change == "edit":
            it.platform.edit("q7")
        else:
            it.platform.delete("q7")
        await it.wrote(lambda platform: platform.acknowledged == platform.posted, "b has taken it")
        first.send(signal.SIGKILL)
        assert (await it.settled()).violations == []
        assert [text[:15] for text in it.shown()] == (["Answer to q7v1:"] if change == "edit" else [])


@pytest.mark.parametrize("collect", [True, False])
async def test_sigterm_hands_back(store_url: str, collect: bool) -> None:
    """SIGTERM in the middle of a turn: after the grace it is handed back at once, which counts as no death."""
    async with scene(store_url, collect=collect) as it:
        it.model.script(Answer(chunks=chunks(whole(["q7"])), usage=USAGE, stall_at=5))
        first = it.start("a")
        await it.listening()
        ask(it, "ana")
        await it.model.stalled()
        ask(it, "bo", "ana", "bo")
        await leave(first)
        it.start("b")
        assert (await it.settled()).violations == []
        assert (await it.books()).deaths == 0


@pytest.mark.parametrize("collect", [True, False])
async def test_a_store_that_is_killed_and_started_again(collect: bool) -> None:
    """Its server dies in the middle of a turn and comes back: what it said is kept, the turn goes on."""
    async with store_server() as server, scene(server.url, collect=collect) as it:
        it.model.script(Answer(chunks=chunks(whole(["q7"])), usage=USAGE, stall_at=5))
        it.start("a")
        await it.listening()
        ask(it, "ana")
        await it.model.stalled()
        ask(it, "bo", "ana", "bo")
        server.kill()
        it.model.release()
        await server.start()
        assert (await it.settled()).violations == []


@pytest.mark.parametrize("is_frozen", [True, False])
async def test_a_store_that_is_away_for_longer_than_the_lease(is_frozen: bool) -> None:
    """Dead or deaf for several leases in the middle of a turn; nobody is there to take over. New questions wait."""
    async with store_server() as server, scene(server.url, redeliver_s=0.5) as it:
        it.model.script(Answer(chunks=chunks(whole(["q7"])), usage=USAGE, stall_at=5))
        it.start("a")
        await it.listening()
        ask(it, "ana")
        await it.model.stalled()
        if is_frozen:
            server.freeze()
        else:
            server.kill()
        it.model.release()
        ask(it, "bo", "ana", "bo")
        await it.platform.until(lambda: it.platform.refusals >= 3, "events are delivered again and again")
        if is_frozen:
            server.thaw()
        else:
            await server.start()
        assert (await it.settled()).violations == []


async def test_sigterm_while_the_store_is_away() -> None:
    """A process that waits for its store ends at SIGTERM like any other."""
    async with store_server() as server, scene(server.url) as it:
        first = it.start("a")
        await it.listening()
        server.kill()
        await until(lambda: "cannot be reached" in it.log.read_text(), "the outage is noticed")
        await leave(first)
        await server.start()


async def test_sigterm_while_the_store_is_away_in_a_reply() -> None:
    """A message was created and cannot be recorded: the process ends all the same; the next one finds it."""
    async with store_server() as server, scene(server.url) as it:
        it.platform.faults.append(Fault(match="create", status=200, is_held=True, is_applied=True))
        first = it.start("a", call_s=2.0)
        await it.listening()
        ask(it, "ana")
        await it.wrote(lambda platform: platform.held == 1, "a creates a message")
        server.kill()
        it.platform.release()
        await until(lambda: "cannot be reached" in it.log.read_text(), "the outage is noticed")
        await leave(first)
        await server.start()
        it.start("b")
        assert (await it.settled()).violations == []
