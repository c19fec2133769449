"""``torchrun -m cleanplate.training CONFIG``: one of several processes of a run."""

from __future__ import annotations

import sys
from pathlib import Path

from cleanplate.training.configuration import load
from cleanplate.training.train import train

if __name__ == "__main__":
    train(load(Path(sys.argv[1]))[0])
