"""Lets the tests of media import what makes their clips, ``media_make``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
