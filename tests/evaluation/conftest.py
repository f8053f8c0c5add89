"""A model server and chains over it, as the tests of the model have them."""

from tests.model.conftest import environment, make_chain, server

__all__ = ["environment", "make_chain", "server"]
