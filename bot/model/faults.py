"""What can go wrong at one model, and what may help then. Pure; a Fault never leaves the package (chain maps it)."""

import re
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for a model, in seconds, and how often to ask the same model again.

    `wait_s` bounds a wait that a server asks for (Retry-After); `backoff_s` doubles with each attempt.
    """

    first_token_s: float = 60.0
    idle_s: float = 30.0
    retries: int = 2
    backoff_s: float = 0.5
    wait_s: float = 10.0


@dataclass(eq=False)
class Fault(Exception):
    """One attempt at one model failed: `reason` for the log and `Finished.tried`, `remedy` for the people who run us.

    What to do while nothing of an answer was shown: `again`: ask the same model after a pause; `later`: ask another
    one, this one perhaps later; `never`: ask another one, this one needs the people who run us; `final`: ask nobody,
    the request itself was refused. In `remedy`, `{key}` and `{url}` stand for the names of the provider's settings.
    `notice` is for the person, where there is more to say than the error's own notice.
    """

    verdict: Literal["again", "later", "never", "final"]
    reason: str
    remedy: str = ""
    retry_after_s: float | None = None
    notice: str | None = None


_AS_STATUS = {"invalid_api_key": 401, "insufficient_quota": 402, "model_not_found": 404, "rate_limit_exceeded": 429}
"""Codes that say more than the HTTP status they come with (or come in mid-stream, with none)."""
_TOO_LONG = "This conversation is too long for the model."
_FILTERED = "The model's content filter refused this request."
_NOTICES = {"context_length_exceeded": _TOO_LONG, "exceed_context_size_error": _TOO_LONG, "content_filter": _FILTERED}
_NEVER = {
    401: ("the key was refused", "check {key}"),
    402: ("no credit is left", "top up the account of {key}"),
    403: ("not allowed", "give {key} the right to use this model"),
    404: ("unknown model or address", "check PARLEY_MODEL (`parley doctor` lists what there is) and {url}"),
}


def refusal(status: int, code: str, parameter: str = "", retry_after: str = "") -> Fault:
    """The fault that an HTTP status (500 where an error came in mid-stream) and an error code stand for.

    Code and parameter come from the server and go to the log, so only plain words are taken: no text, no secret.
    """
    asked_s = float(retry_after) if re.fullmatch(r"\d{1,5}(\.\d+)?", retry_after) else None  # a date: our own pause
    status = 400 if code in _NOTICES else _AS_STATUS.get(code, status)
    shown = ", ".join([f"HTTP {status}", *(word for word in (code, parameter) if re.fullmatch(r"[\w.-]{1,64}", word))])
    if status in _NEVER:
        reason, remedy = _NEVER[status]
        return Fault("never", f"{reason} ({shown})", remedy)
    if (status >= 500 and status != 501) or status in (408, 409, 425, 429):
        return Fault("again", f"busy or failing ({shown})", retry_after_s=asked_s)
    return Fault("final", f"request refused ({shown})", "PARLEY_LOG_LEVEL=DEBUG shows why", notice=_NOTICES.get(code))


def refusal_in_stream(error: object) -> Fault:
    """The fault that an error object in mid-stream stands for; its `code` is a word, or an HTTP status as a number."""
    code = error.get("code") if isinstance(error, dict) else None
    return refusal(code, "") if isinstance(code, int) and code >= 400 else refusal(500, str(code or ""))
