"""Where weights come from: the catalogue, the store, fetching, strict loading."""

from cleanplate.checkpoints.catalogue import Checkpoint, all_checkpoints, find
from cleanplate.checkpoints.store import load

__all__ = ["Checkpoint", "all_checkpoints", "find", "load"]
