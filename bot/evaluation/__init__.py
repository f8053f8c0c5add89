"""Asks models the cases of a suite and reports what they make of them. Knows of `bot` only ports, errors and prices."""
