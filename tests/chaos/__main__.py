"""`python -m tests.chaos` is `python -m tests.chaos.run`."""

from tests.chaos.run import main

if __name__ == "__main__":
    main()
