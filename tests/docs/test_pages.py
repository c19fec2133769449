"""What the documentation shows is run."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

import cleanplate
from cleanplate import registry
from tests import scene

ROOT = Path(__file__).resolve().parents[2]


def code_blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The engine of docs/architecture.md, installed as another package would be."""
    (source,) = code_blocks(ROOT / "docs" / "architecture.md", "python")
    (entry,) = code_blocks(ROOT / "docs" / "architecture.md", "toml")
    module = re.search(r'= "(.*)"', entry)
    assert module is not None
    package, name = module[1].split(".")
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").touch()
    (tmp_path / package / f"{name}.py").write_text(source)
    info = tmp_path / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[cleanplate.engines]\n" + entry.splitlines()[1].replace('"', "") + "\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._modules.cache_clear()
    yield tmp_path
    registry._modules.cache_clear()
    sys.modules.pop(module[1], None)


def test_the_engine_of_the_architecture_page_works(
    another_package: Path, scene_clip: Path, tmp_path: Path
) -> None:
    assert "meanfill" in cleanplate.names("inpaint")
    np.savez(tmp_path / "masks.npz", scene.sign_masks(40))
    out = tmp_path / "clean.mp4"
    cleanplate.inpaint(scene_clip, out, tmp_path / "masks.npz", inpainter="meanfill", end="@5")
    with cleanplate.open_clip(out) as clip:
        first = next(clip.pictures()).rgb()[scene.sign_box(0).slices]
    assert first.std(axis=(0, 1)).max() < 8, "one colour, but for the rim and compression"


def test_the_python_example_of_the_readme_runs(
    scene_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(scene_clip.read_bytes())
    examples = code_blocks(ROOT / "README.md", "python")
    assert examples
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})
    assert (tmp_path / "clean.mp4").is_file()


def test_links_between_pages_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_python_example_of_the_page_on_projects_runs(
    scene_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(scene_clip.read_bytes())
    (example,) = code_blocks(ROOT / "docs" / "projects.md", "python")
    exec(compile(example, "projects.md", "exec"), {})
    assert (tmp_path / "clean.mp4").is_file()
