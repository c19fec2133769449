"""Projects on a small clip."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cleanplate.projects.project import Project
from tests.projects import stage
from tests.scene import sign_box


@pytest.fixture(scope="session")
def stage_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 60 frames, 192x128, in which one sign stays and another leaves."""
    return stage.write_stage(tmp_path_factory.mktemp("stage") / "stage.mp4")


@pytest.fixture
def project(stage_clip: Path, tmp_path: Path) -> Project:
    """A project in which nothing is said yet."""
    return Project.create(tmp_path / "project", stage_clip)


@pytest.fixture(scope="session")
def _followed(stage_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = Project.create(tmp_path_factory.mktemp("followed") / "project", stage_clip)
    for box in (sign_box(0), stage.other_box(0)):
        project.set_prompt(0, project.add_object(), stage.prompt(box))
    project.follow()
    return project.path


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Path], Project]:
    """Opens a copy of a project."""

    def copy(source: Path) -> Project:
        shutil.copytree(source, tmp_path / "copy")
        return Project.open(tmp_path / "copy")

    return copy


@pytest.fixture
def followed(_followed: Path, copied: Callable[[Path], Project]) -> Project:
    """A project with both signs, 1 and 2, pointed at in frame 0 and followed."""
    return copied(_followed)
