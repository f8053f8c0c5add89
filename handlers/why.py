"""What went into an answer, for the person who asked: from the record that its turn has left."""

from bot.conversation import Answer, Kit
from bot.errors import texts
from bot.events import Conversation
from bot.stored import load


async def explained(kit: Kit, place: Conversation, turn: str) -> str:
    """Model, messages, tokens and times of one answer, as Markdown."""
    record = await kit.inbox.closed(place, turn)
    if not record.get("final"):
        return texts()["no_record"].format(days=kit.settings.why_days)
    final = load(Answer, record["final"])
    deaths, failures = int(record.get("deaths", "0")), int(record.get("failures", "0"))
    rows = {
        "model": final.model or texts()["unknown"],
        "tried": ", ".join(final.tried),
        "persona": final.persona,
        "system": final.system,
        "messages": texts()["why_messages"].format(used=len(final.included), left=len(final.left_out)),
        "tokens": texts()["why_tokens"].format(
            input=final.input_tokens, cached=final.cached_tokens, output=final.output_tokens
        ),
        "times": texts()["why_times"].format(first=final.first_ms, total=final.total_ms),
        "attempts": texts()["why_attempts"].format(failures=failures, deaths=deaths) if deaths or failures else "",
        "sources": "\n".join(f"  - {_link(kit, place, id)}" for id in final.included[-20:]),
    }
    labels = texts()
    return "\n".join(f"- **{labels['why_' + name + '_label']}** {text}" for name, text in rows.items() if text)


def _link(kit: Kit, place: Conversation, message: str) -> str:
    scrollback = kit.scrollback.get(place.platform)
    return scrollback.link(place, message) if scrollback else message
