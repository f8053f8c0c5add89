"""Slack as an adapter: seats itself in a workspace, lets its listeners hear, and lends itself to replies."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult

from adapters.slack import files
from adapters.slack.errors import errors_as_ours
from adapters.slack.listeners import Listeners
from adapters.slack.manifest import missing
from adapters.slack.names import Names
from adapters.slack.options import Options
from adapters.slack.reply import reply_at
from adapters.slack.scrollback import since
from adapters.slack.session import keep_swept
from adapters.slack.sockets import Sockets, serving
from adapters.slack.translate import Seat
from adapters.slack.web import SlackWeb
from adapters.slack.workspace import Workspace
from bot.errors import ReplyUndeliverable, SettingsInvalid
from bot.events import Address, Attachment, Conversation, MessageReceived, Person
from bot.pacing import Limits
from bot.ports import Draft, Intake, Reply, Shelf

log = logging.getLogger(__name__)
LIMITS = Limits(characters=11_000, cadence_s=1.2, sign_every_s=60.0)
"""A Markdown block takes 12,000 characters; chat.update about 50 calls a minute."""


class SlackAdapter:
    """Slack as a `bot.ports.Adapter`, which can read `Files` and `Scrollback` too."""

    platform = "slack"

    def __init__(self, options: Options, shelf: Shelf, *, call_s: float = 5.0, limits: Limits = LIMITS) -> None:
        self._options, self._shelf, self._call_s, self._limits = options, shelf, call_s, limits
        self._web = SlackWeb(options.bot_token, options.api_url)
        self._workspace = Workspace(self._web, shelf)
        self._names = Names(self._web, shelf)
        self._seat: Seat | None = None
        self._home = "https://slack.com/"
        self.http_port = 0
        """Where Slack's requests are taken, once they are; 0 over sockets."""

    async def run(self, intake: Intake, ready: Callable[[], None]) -> None:
        """Hear Slack until cancelled. Raises PlatformUnavailable where it cannot be reached now.

        Raises SettingsInvalid where Slack refuses a token, at the start or later.
        """
        self._web.open()
        listening = asyncio.create_task(self._listen(intake, ready))
        refused = asyncio.create_task(self._web.refused.wait())
        try:
            await asyncio.wait({listening, refused}, return_when=asyncio.FIRST_COMPLETED)
            if self._web.refusal:
                which = "SLACK_BOT_TOKEN or SLACK_APP_TOKEN" if self._options.app_token else "SLACK_BOT_TOKEN"
                raise SettingsInvalid([f"{which}: Slack says {self._web.refusal}"])
            await listening
        except ReplyUndeliverable as error:
            raise SettingsInvalid([f"Slack refuses the start: {error}. {error.notice}"]) from error
        finally:
            for task in (listening, refused):
                task.cancel()
            await asyncio.gather(listening, refused, return_exceptions=True)

    async def _listen(self, intake: Intake, ready: Callable[[], None]) -> None:
        seat = self._seat = await self._seated()

        async def authorize() -> AuthorizeResult:  # of our own: Bolt's acknowledges events that it could not authorise
            ours = {"team_id": seat.team, "bot_user_id": seat.user, "bot_id": seat.bot}
            return AuthorizeResult(enterprise_id=None, bot_token=self._options.bot_token, **ours)

        # Slack is told "received" behind the listener, so only what was admitted; all else is delivered again.
        secret = self._options.signing_secret
        quiet = logging.getLogger("slack_bolt.parley")
        quiet.setLevel(logging.ERROR)  # it warns of variables in the environment that we read ourselves
        app = AsyncApp(authorize=authorize, process_before_response=True, signing_secret=secret, logger=quiet)
        heard = Listeners(
            web=self._web, shelf=self._shelf, names=self._names, options=self._options, seat=seat, intake=intake
        )
        heard.attach(app)
        sweeping = asyncio.create_task(keep_swept(self._workspace))
        try:
            if self._options.app_token:
                return await Sockets(app, self._web, self._options).run(ready)
            async with serving(app, self._options) as self.http_port:
                ready()
                await asyncio.Event().wait()
        finally:
            sweeping.cancel()
            await asyncio.wait({sweeping})

    async def _seated(self) -> Seat:
        """Who we are here; tells which features are off for want of a scope."""
        with errors_as_ours():
            told = await self._web.auth_test()
        for scope, without in missing(told.headers.get("x-oauth-scopes", "")):
            log.warning("Slack has not granted %s: %s", scope, without)
        self._workspace.team, self._workspace.bot = told["team_id"], told["user_id"]
        self._home = told.get("url") or self._home
        team, user, bot, is_one = told["team_id"], told["user_id"], told["bot_id"], self._options.has_one_session
        return Seat(team=team, user=user, bot=bot or "", name=told["user"], has_one_session=is_one)

    def reply(self, address: Address, draft: Draft) -> Reply:
        ours, how, within_s = self._workspace, self._options, self._call_s
        ring, grow = how.people_ring, how.channels
        return reply_at(ours, address, draft, limits=self._limits, call_s=within_s, channels=grow, people_ring=ring)

    async def read(self, attachment: Attachment, most: int) -> bytes:
        return await files.read(self._web, attachment, most)

    async def since(self, place: Conversation, reader: Person, after: str, most: int) -> Sequence[MessageReceived]:
        seat = self._seat or await self._seated()
        return await since(self._web, self._names, seat, place, reader, after, most)

    def link(self, place: Conversation, message: str) -> str:
        thread = f"?thread_ts={place.thread}&cid={place.channel}" if place.thread else ""
        return f"{self._home}archives/{place.channel}/p{message.replace('.', '')}{thread}"

    async def close(self) -> None:
        await self._web.close()
