"""Run by ``torchrun`` in a test: trains the tiny network as one of several processes."""

from __future__ import annotations

import sys
from pathlib import Path

from cleanplate.training.train import train
from tests.training.tiny import Tiny, configuration

if __name__ == "__main__":
    train(configuration(Path(sys.argv[1])), make_recipe=Tiny)
