"""What can go wrong, one tree: every `BotError` carries the notice that the person reads. Imports nothing of ours."""


class BotError(Exception):
    """Its `notice` is shown to the person who asked; its `args` are for the log and never reach a channel."""

    notice = "Something went wrong on my side. Please try again."
    retry_in_s: float | None = None
    """Seconds until trying again may help (the queue then retries); None where a retry cannot."""

    def __init__(self, detail: str = "", *, notice: str | None = None, retry_in_s: float | None = None) -> None:
        super().__init__(detail)
        if notice is not None:
            self.notice = notice
        if retry_in_s is not None:
            self.retry_in_s = retry_in_s


class NotAllowed(BotError):
    """The person, channel or workspace is not on the allow list, or is on the deny list."""

    notice = "I may not answer here. The people who run me decide who I talk to."


class RateLimited(BotError):
    """The person asked more often than their rate allows."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"retry after {retry_after_s:.0f} s")
        self.retry_after_s = retry_after_s
        self.notice = f"That was a lot of questions. Please ask me again in {_span(retry_after_s)}."


class BudgetSpent(BotError):
    """The workspace's daily tokens are used up."""

    def __init__(self, resets_in_s: float) -> None:
        super().__init__(f"resets in {resets_in_s:.0f} s")
        self.resets_in_s = resets_in_s
        self.notice = f"This workspace's budget for today is used up. It starts anew in {_span(resets_in_s)}."


class PromptTooLong(BotError):
    """The newest question alone does not fit into the prompt's budget."""

    def __init__(self, tokens: int, budget: int) -> None:
        super().__init__(f"{tokens} tokens of {budget}")
        self.notice = (
            f"Your message is too long for me (about {tokens:,} tokens; I can take {budget:,}). "
            "Please shorten it or send it in parts."
        )


class ModelError(BotError):
    """The model did not give a whole answer. `shown` tells whether text had been streamed before."""


class ModelUnavailable(ModelError):
    """No model of the chain could be reached, or all were busy: trying again later may help."""

    notice = "The model isn't answering at the moment."
    retry_in_s = 5.0


class ModelRefused(ModelError):
    """The model's server refuses this request or these credentials: trying again cannot help."""

    notice = "The model's server refused the request. The people who run me find the reason in the log."


class ModelInterrupted(ModelError):
    """The stream ended, stalled or broke before the answer was whole."""

    notice = "The model broke off in the middle of its answer."
    retry_in_s = 1.0


class EmptyAnswer(ModelError):
    """The model finished without a word."""

    notice = "The model gave an empty answer. Please try again, or put the question differently."


class StoreUnavailable(BotError):
    """Redis or Valkey cannot be reached or refuses to write."""

    notice = "I can't reach my memory at the moment. Please try again in a minute."
    retry_in_s = 1.0


class ReplyUndeliverable(BotError):
    """The platform will never take this reply (a dead token, a deleted channel, a missing permission)."""

    notice = "I couldn't deliver my answer here."


class MessageGone(ReplyUndeliverable):
    """The message to be edited or deleted does not exist any more: a reply creates it anew."""


class PlatformUnavailable(BotError):
    """The platform did not take a message now; the queue tries again."""

    notice = "The platform isn't taking my messages at the moment."
    retry_in_s = 2.0


class FileUnreadable(BotError):
    """A file that hangs at a question cannot be read (gone, too large, not allowed); the notice names it and why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
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
    for size, unit in ((3600.0, "hour"), (60.0, "minute")):
        if seconds >= size:
            count = round(seconds / size)
            return f"{count} {unit}{'s' if count != 1 else ''}"
    count = max(1, round(seconds))
    return f"{count} second{'s' if count != 1 else ''}"
