"""What the documentation shows is run."""

import re
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import cleanplate
from cleanplate import registry
from cleanplate.app.page.choices import choices
from cleanplate.app.server import engines as engine_list
from cleanplate.app.speeds import Speeds
from cleanplate.checkpoints import all_checkpoints, catalogue, store
from cleanplate.protocols import Inpainter, Segmenter, Tracker
from cleanplate.types import Frame, MaskedFrame, Point, Prompt, Visibility
from tests import scene

ROOT = Path(__file__).resolve().parents[2]


def code_blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def forget(package: str) -> None:
    """Import ``package`` anew when it is asked for next."""
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]


@pytest.fixture
def another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
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
    forget(package)


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


@pytest.fixture
def learned_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The learned engine of docs/architecture.md, installed as another package would be."""
    pytest.importorskip("torch", reason="The learned engine needs torch")
    yield from installed("learned", tmp_path, monkeypatch)


@pytest.fixture
def engine_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The segmenter and the tracker of docs/architecture.md, installed as another package."""
    yield from installed("engines", tmp_path, monkeypatch)


def installed(title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The titled files of the page as a package, with the entry points of the block ``title``."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").touch()
    for path, source in re.findall(r"```python title=(\S+)\n(.*?)```", page, re.DOTALL):
        (tmp_path / path).write_text(source)
    (groups,) = re.findall(rf"```toml title={title}\n(.*?)```", page, re.DOTALL)
    entries = re.sub(r"project\.entry-points\.", "", groups).replace('"', "")
    info = tmp_path / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my_package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entries)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "store").mkdir()
    monkeypatch.setenv(store.PLACE, str(tmp_path / "store"))
    caches = (registry._modules, catalogue._brought, engine_list._known)
    for cache in caches:
        cache.cache_clear()
    yield tmp_path
    for cache in caches:
        cache.cache_clear()
    forget("my_package")


def test_a_learned_engine_of_another_package_works_from_its_weights(learned_package: Path) -> None:
    card = next(card for card in choices() if card["engine"] == "painter")
    assert (card["title"], card["learned"]) == ("Painter", True)
    assert "painter.pth" in card["get"]
    assert "painter" in [checkpoint.name for checkpoint in all_checkpoints()]
    with pytest.raises(cleanplate.WeightsError, match=r"import painter\.pth --name painter"):
        registry.create("inpaint", "painter")
    from tests.weights import provide

    provide("painter")
    engine = registry.create("inpaint", "painter")
    assert isinstance(engine, Inpainter)
    image = np.full((16, 16, 3), 90, np.uint8)
    mask = np.zeros((16, 16), np.uint8)
    mask[4:8, 4:8] = 1
    (filled,) = engine.inpaint([MaskedFrame(Frame(0, Fraction(0), image), mask)])
    assert np.array_equal(filled.image[mask == 0], image[mask == 0])
    assert (filled.image[mask != 0] != 90).any()


def test_a_segmenter_of_another_package_outlines_what_is_clicked(engine_package: Path) -> None:
    engine = registry.create("segment", "wand")
    assert isinstance(engine, Segmenter)
    image = np.zeros((20, 30, 3), np.uint8)
    image[5:10, 8:20] = 200
    image[15:18, 8:20] = 200
    found = engine.decode(engine.encode(image), Prompt(points=(Point(10.5, 7.5),)))
    assert np.array_equal(np.argwhere(found.masks[0])[[0, -1]], [[5, 8], [9, 19]])
    with pytest.raises(cleanplate.InputError, match="no click"):
        engine.decode(engine.encode(image), Prompt(points=(Point(10.5, 7.5, positive=False),)))


def test_a_tracker_of_another_package_follows_and_goes_on_from_its_state(
    engine_package: Path,
) -> None:
    engine = registry.create("track", "pan")
    assert isinstance(engine, Tracker)
    wide = np.random.default_rng(0).integers(0, 256, (64, 100, 3), np.uint8)
    frames = [Frame(n, Fraction(n), wide[:, 4 * n : 4 * n + 64]) for n in range(4)]
    mask = np.zeros((64, 64), np.uint8)
    mask[20:30, 30:40] = 7
    tracking = engine.start(frames[0], mask)
    tracking.step(frames[1])
    for following in (tracking, engine.resume(tracking.state())):
        answer = following.step(frames[2])
        assert np.array_equal(answer.mask, np.roll(mask, -8, axis=1))
        assert [(s.object_id, s.visibility) for s in answer.objects] == [(7, Visibility.VISIBLE)]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import there_is_no_such_module", "ModuleNotFoundError"),
        ("def broken(:", "SyntaxError"),
        ("raise RuntimeError('no licence file')", "no licence file"),
        ("class Engine: pass", "AttributeError"),
    ],
)
def test_a_broken_engine_is_said_at_that_engine_and_all_others_are_offered(
    engine_package: Path, source: str, reason: str
) -> None:
    (engine_package / "my_package" / "wand.py").write_text(source)
    card = next(card for card in choices() if card["engine"] == "wand")
    assert "The segment engine wand cannot be loaded from my_package.wand" in card["get"]
    assert reason in card["get"]
    assert {"pan", "planar", "flowfill"} <= {card["engine"] for card in choices()}
    rows = engine_list.engine_rows(Speeds(engine_package), None)
    row = next(row for row in rows if row["name"] == "wand")
    assert not row["here"]
    assert reason in row["needs"]
    with pytest.raises(cleanplate.InputError, match="repair or remove the package"):
        registry.create("segment", "wand")


def test_a_checkpoint_that_nobody_brings_is_said_at_its_engine_and_the_page_is_built(
    learned_package: Path,
) -> None:
    file = learned_package / "my_package-1.0.dist-info" / "entry_points.txt"
    file.write_text(file.read_text().partition("[cleanplate.checkpoints]")[0])
    catalogue._brought.cache_clear()
    card = next(card for card in choices() if card["engine"] == "painter")
    assert "needs the checkpoint 'painter', which neither cleanplate" in card["get"]
    rows = engine_list.engine_rows(Speeds(learned_package), None)
    row = next(row for row in rows if row["name"] == "painter")
    assert not row["here"]
    assert "needs the checkpoint 'painter'" in row["needs"]


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
