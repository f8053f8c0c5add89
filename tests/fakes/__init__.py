"""Small real implementations of the ports, asserted as data."""

from tests.fakes.clock import VirtualLoop
from tests.fakes.model import FakeModel
from tests.fakes.reply import FakeDraft, FakeReply
from tests.fakes.surface import FakeSurface, MemoryAdapter

__all__ = ["FakeDraft", "FakeModel", "FakeReply", "FakeSurface", "MemoryAdapter", "VirtualLoop"]
