"""`python -m tests.chaos` is `python -m tests.chaos.run`; with `--platform discord` it is `tests.chaos.discord`."""

import sys

from tests.chaos import discord, run

if __name__ == "__main__":
    if sys.argv[1:3] == ["--platform", "discord"]:
        discord.main(sys.argv[3:])
    else:
        run.main()
