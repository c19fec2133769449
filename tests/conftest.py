"""Fixtures that every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.scene import write_scene

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def clips() -> Path:
    """The folder of real footage; the test is skipped, and says so, where there is none."""
    folder = Path(os.environ.get("CLEANPLATE_CLIPS", ROOT.parent / "shared" / "clips"))
    if not folder.is_dir():
        pytest.skip(f"NO FOOTAGE: {folder} is no folder; set CLEANPLATE_CLIPS to run this test")
    return folder


@pytest.fixture(scope="session")
def scene_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 40 frames, 192x128, 30000/1001, with sound, in which a sign moves."""
    return write_scene(tmp_path_factory.mktemp("scene") / "scene.mp4", 40)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--goldens", help="Folder of goldens; default ../shared/goldens.")


# Families that take minutes together: scripts/check --fast leaves them out.
THOROUGH = ("app", "contract", "e2e", "engines", "golden", "media", "pipeline", "projects")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        parts = item.path.relative_to(ROOT / "tests").parts
        if parts[0] in THOROUGH:
            item.add_marker(pytest.mark.thorough)
