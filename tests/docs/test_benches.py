"""Every benchmark still finds what it measures: it is imported, not run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ELSEWHERE = {"csrt"}  # runs in an environment of its own
_IMPORTED = """
import importlib.util, sys
sys.path[:0] = [".", "bench"]  # as when a script is run
for path in sys.argv[1:]:
    name = path.removesuffix(".py").replace("/", ".")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
"""


def test_every_benchmark_can_be_imported() -> None:
    files = sorted(path.name for path in (ROOT / "bench").glob("*.py"))
    benches = [f"bench/{name}" for name in files if Path(name).stem not in ELSEWHERE]
    assert len(benches) > 20
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTED, *benches],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
