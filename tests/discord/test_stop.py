"""The Stop button from end to end: a real process, the real pipeline, and a person who has read enough."""

from tests.chaos.discord import discord_scene
from tests.chaos.script import USAGE, chunks, whole
from tests.servers.model import Answer


async def test_an_answer_is_stopped_by_its_button(store_url: str) -> None:
    """Who asked presses Stop while the text grows: it stays as it is, marked, with other buttons, and that is all."""
    async with discord_scene(store_url) as it:
        it.model.script(Answer(chunks=chunks(whole(["q7"])), usage=USAGE, stall_at=5))
        await it.start("a")
        await it.listening()
        it.ask("ana")
        await it.model.stalled()
        await it.server.until(lambda: it.server.general.by(it.server.bot), "a first post")
        [growing] = it.server.general.by(it.server.bot)
        [stop] = growing.buttons
        asker = it.said["q7"].author
        it.server.click(growing, stop, user=asker)
        await it.server.until(lambda: growing.content.endswith("*(stopped)*"), "it is stopped")
        await it.done()
        assert growing.buttons
        assert not any(":stop:" in id for id in growing.buttons)
        assert whole(["q7"]).startswith(growing.content.removesuffix("*(stopped)*").strip())
        told = [(message.content, message.flags) for message in it.server.general.by(it.server.bot)[1:]]
        assert told == [("Stopping.", 64)]  # to who pressed alone
