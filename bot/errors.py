"""What can go wrong, one tree: every `BotError` carries the notice that the person reads. Imports nothing of ours."""

import gettext
import tomllib
from functools import cache
from pathlib import Path


@cache
def texts() -> dict[str, str]:
    """What Parley says to people, by name; an error's notice has the name of its class."""
    return catalogue(Path(__file__).parent / "data" / "locale")


def catalogue(folder: Path) -> dict[str, str]:
    """The English texts of bot/data/notices.toml, each in the language of LANGUAGE or LANG where `folder` has it.

    `folder` is laid out as gettext wants it (`de/LC_MESSAGES/parley.mo`); the message ids are the texts' names.
    """
    english = tomllib.loads((Path(__file__).parent / "data" / "notices.toml").read_text("utf-8"))
    other = gettext.translation("parley", folder, fallback=True).gettext
    return {name: text if (said := other(name)) == name else said for name, text in english.items()}


class BotError(Exception):
    """Its `notice` is shown to the person who asked; its `args` are for the log and never reach a channel."""

    retry_in_s: float | None = None
    """Seconds until trying again may help (the queue then retries); None where a retry cannot."""

    def __init__(self, detail: str = "", *, notice: str | None = None, retry_in_s: float | None = None) -> None:
        super().__init__(detail)
        self.notice = notice or next(texts()[k.__name__] for k in type(self).__mro__ if k.__name__ in texts())
        self.retry_in_s = self.retry_in_s if retry_in_s is None else retry_in_s


class NotAllowed(BotError):
    """The person, channel or workspace is not on the allow list, or is on the deny list."""


class RateLimited(BotError):
    """The person asked more often than their rate allows."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"{retry_after_s:.0f} s", notice=texts()["RateLimited"].format(span=_span(retry_after_s)))


class BudgetSpent(BotError):
    """The workspace's daily tokens are used up."""

    def __init__(self, resets_in_s: float) -> None:
        super().__init__(f"{resets_in_s:.0f} s", notice=texts()["BudgetSpent"].format(span=_span(resets_in_s)))


class PromptTooLong(BotError):
    """The newest question alone does not fit into the prompt's budget."""

    def __init__(self, tokens: int, budget: int) -> None:
        notice = texts()["PromptTooLong"].format(tokens=tokens, budget=budget)
        super().__init__(f"{tokens} tokens of {budget}", notice=notice)


class ModelError(BotError):
    """The model did not give a whole answer. `shown` tells whether text had been streamed before."""


class ModelUnavailable(ModelError):
    """No model of the chain could be reached, or all were busy: trying again later may help."""

    retry_in_s = 5.0


class ModelRefused(ModelError):
    """The model's server refuses this request or these credentials: trying again cannot help."""


class ModelInterrupted(ModelError):
    """The stream ended, stalled or broke before the answer was whole."""

    retry_in_s = 1.0


class EmptyAnswer(ModelError):
    """The model finished without a word."""


class StoreUnavailable(BotError):
    """Redis or Valkey cannot be reached or refuses to write."""

    retry_in_s = 1.0


class ReplyUndeliverable(BotError):
    """The platform will never take this reply (a dead token, a deleted channel, a missing permission)."""


class MessageGone(ReplyUndeliverable):
    """The message to be edited or deleted does not exist any more: a reply creates it anew."""


class PlatformUnavailable(BotError):
    """The platform did not take a message now; the queue tries again."""

    retry_in_s = 2.0


class FileUnreadable(BotError):
    """A file that hangs at a question cannot be read (gone, too large, not allowed); the notice names it and why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.reason = reason
        self.notice = f"I couldn't read {name}: {reason}."


class SettingsInvalid(BotError):
    """Settings that cannot work. `problems` holds one line each, with the variable's name and an example."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class LeaseLost(Exception):
    """Another worker holds the turn now: stop writing. Never shown; the other worker answers."""


class TurnChanged(Exception):
    """The batch was edited, deleted or forgotten while its turn ran: the turn starts again in the same reply."""


def _span(seconds: float) -> str:
    """A duration as people say it: "40 seconds", "5 minutes", "3 hours"."""
    units = ((3600.0, "hour"), (60.0, "minute"), (0.0, "second"))
    size, unit = next((size or 1.0, unit) for size, unit in units if seconds >= size)
    count = max(1, round(seconds / size))
    return f"{count} {unit}{'s' if count != 1 else ''}"
