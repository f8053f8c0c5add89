"""The buttons under an answer. All that they mean stands in their custom ids, so they outlive this process."""

from collections.abc import Sequence

import discord

from adapters.discord.markup import custom_id
from bot.ports import Button

MOST = 4
_FACES = {"stop": "\u23f9\ufe0f", "retry": "\U0001f504", "up": "\U0001f44d", "down": "\U0001f44e"}
_FACE_ALONE = ("up", "down")


def view_of(buttons: Sequence[Button], *, is_private: bool = False) -> discord.ui.View:
    """At most four: of more the first three, and one that opens a menu of the others, which it names.

    The view is finished from the start: discord.py then keeps no trace of it, and we read the custom ids ourselves.
    """
    view, marks = discord.ui.View(timeout=None), ("private",) if is_private else ()
    view.stop()
    shown = buttons if len(buttons) <= MOST else buttons[: MOST - 1]
    for button in shown:
        label = None if button.action in _FACE_ALONE else button.label[:80]
        style = discord.ButtonStyle.danger if button.action == "stop" else discord.ButtonStyle.secondary
        face, id = _FACES.get(button.action), custom_id(button.action, button.turn, marks)
        view.add_item(discord.ui.Button(label=label, emoji=face, style=style, custom_id=id))
    if hidden := buttons[len(shown) :]:
        id = custom_id("more", hidden[0].turn, (*(button.action for button in hidden), *marks))
        view.add_item(discord.ui.Button(label="More", style=discord.ButtonStyle.secondary, custom_id=id))
    return view
