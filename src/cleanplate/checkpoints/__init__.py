"""Where weights come from: the catalogue, the store, fetching, strict loading."""

from cleanplate.checkpoints.catalogue import CATALOGUE, Checkpoint, find
from cleanplate.checkpoints.store import load

__all__ = ["CATALOGUE", "Checkpoint", "find", "load"]
