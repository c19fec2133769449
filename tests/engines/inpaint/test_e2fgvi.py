"""What the engines e2fgvi and e2fgvi_hq promise beyond the contract of all inpainters."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cleanplate import registry
from cleanplate.engines.inpaint.shared.e2fgvi import plan as planning
from cleanplate.errors import InputError, WeightsError
from cleanplate.evaluation import measures
from cleanplate.protocols import Runtime
from cleanplate.types import Box, Frame, MaskedFrame

torch: Any = pytest.importorskip("torch", reason="The engines e2fgvi and e2fgvi_hq need torch")

from cleanplate.engines.inpaint.shared.e2fgvi import base  # noqa: E402
from cleanplate.engines.inpaint.shared.e2fgvi.pictures import Fitted, Picture  # noqa: E402
from cleanplate.engines.inpaint.shared.e2fgvi.shot import Shot  # noqa: E402
from cleanplate.networks.e2fgvi import e2fgvi  # noqa: E402
from tests.e2fgvi_published import as_written, dilated, fill  # noqa: E402
from tests.weights import make_e2fgvi_small, save  # noqa: E402

NAMES = ["e2fgvi", "e2fgvi_hq"]


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        make_e2fgvi_small(patch)
        yield


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, small: None) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("e2fgvi")
    return {n: str(save(getattr(e2fgvi, n)(), folder / f"{n}.pth")) for n in NAMES}


def engine(weights: dict[str, str], name: str, runtime: Runtime | None = None, **more: str) -> Any:
    return registry.create("inpaint", name, {"weights": weights[name], **more}, runtime)


def clip(count: int, width: int = 108, height: int = 60, start: int = 0) -> list[MaskedFrame]:
    """A pan of 2 px a frame under a hole that wanders; frame n is the same wherever one starts."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width + 400, 3), np.uint8)
    wide = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    frames = []
    for n in range(start, start + count):
        mask = np.zeros((height, width), np.uint8)
        mask[20:40, 30 + n % 20 : 55 + n % 20] = 1
        image = np.ascontiguousarray(wide[:, 2 * n : 2 * n + width])
        frames.append(MaskedFrame(Frame(n, Fraction(n, 25), image), mask))
    return frames


def cleared(masked: MaskedFrame) -> MaskedFrame:
    return replace(masked, mask=np.zeros_like(masked.mask))


def images(frames: Iterator[Frame]) -> np.ndarray:
    return np.stack([frame.image for frame in frames])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("width", "height"), [(108, 60), (115, 70)])
def test_the_fill_is_that_of_the_published_procedure(
    weights: dict[str, str], name: str, width: int, height: int
) -> None:
    if name == "e2fgvi" and (width, height) != (108, 60):
        pytest.skip("e2fgvi scales what is not of its size")
    frames = clip(33, width, height)
    made = engine(weights, name)
    pictures, masks = (
        np.stack(x) for x in zip(*((m.frame.image, m.mask) for m in frames), strict=True)
    )
    wanted = fill(made._network, pictures, np.stack([dilated(mask) for mask in masks]))
    for reach in ("50", "none"):
        found = images(engine(weights, name, reach=reach).inpaint(frames))
        apart = np.abs(found[masks > 0].astype(int) - wanted[masks > 0])
        assert apart.max() <= 1
        assert (apart > 0).mean() < 1e-3


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_the_network_computes_what_the_paper_s_text_says(
    weights: dict[str, str], name: str
) -> None:
    network = engine(weights, name)._network
    x = torch.from_numpy(np.stack([m.frame.image for m in clip(4)])).permute(0, 3, 1, 2)
    x = x[None].float() / 255 * 2 - 1
    (fast, _), (written, _) = network(x, 3), as_written(copy.deepcopy(network))(x, 3)
    torch.testing.assert_close(fast, written, rtol=1e-4, atol=2e-5)


def test_a_stream_that_begins_in_the_middle_of_a_shot_gives_the_same_fill(
    weights: dict[str, str],
) -> None:
    made = engine(weights, "e2fgvi_hq", reach="10")
    whole = images(made.inpaint(clip(50)))
    begin = 40 - made.lookback
    late = images(made.inpaint(clip(50 - begin, start=begin)))
    assert np.array_equal(whole[40:], late[40 - begin :])


def test_a_mask_that_comes_late_is_filled_as_if_it_had_been_awaited(
    weights: dict[str, str],
) -> None:
    frames = [cleared(m) if m.frame.index < 21 else m for m in clip(30)]
    made = engine(weights, "e2fgvi_hq")
    holes = np.stack([dilated(m.mask) for m in frames])
    wanted = fill(made._network, np.stack([m.frame.image for m in frames]), holes)
    for masked, got in zip(frames, made.inpaint(frames), strict=True):
        inside = masked.mask > 0
        if not inside.any():
            assert got is masked.frame
        else:
            apart = np.abs(got.image[inside].astype(int) - wanted[masked.frame.index][inside])
            assert apart.max() <= 1


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_reduced_precision_is_close(weights: dict[str, str], precision: str) -> None:
    frames = clip(12)
    full = images(engine(weights, "e2fgvi_hq").inpaint(frames))
    less = images(engine(weights, "e2fgvi_hq", Runtime(precision=precision)).inpaint(frames))
    inside = np.stack([m.mask for m in frames]) > 0
    assert measures.psnr(full[inside], less[inside]) > 35


class Counting:
    """A network that computes nothing and counts what it is asked for."""

    def __init__(self) -> None:
        self.encoded = self.flows = self.decoded = self.split = 0
        self.update_spynet = self
        self.most = 0

    def encode(self, frames: Any) -> Any:
        self.encoded += len(frames)
        return torch.zeros(len(frames), 128, 15, 27)

    def pyramid(self, frames: Any) -> Any:
        return self

    def joined(self, other: Any) -> Any:
        return self

    def flow(self, first: Any, second: Any) -> Any:
        self.flows += 1
        return torch.zeros(2, 2, 15, 27)

    def feat_prop_module(self, features: Any, *flows: Any) -> Any:
        return features

    def ss(self, features: Any) -> Any:
        self.split += len(features)
        return torch.zeros(len(features), 5, 9, 512)

    def transform(self, tokens: Any, part: Any, queries: Any) -> Any:
        self.most = max(self.most, tokens.shape[1])
        return torch.zeros(1, len(queries), 5, 9, 512)

    def decode(self, tokens: Any, features: Any, part: Any, crop: Any) -> Any:
        self.decoded += len(tokens)
        rows, columns = crop.slices(4)
        return torch.zeros(len(tokens), 3, rows.stop - rows.start, columns.stop - columns.start)


def test_each_frame_is_encoded_once_and_what_is_held_does_not_grow() -> None:
    network = Counting()
    shot = Shot(network, "cpu", reach=20)  # type: ignore[arg-type]
    held, given = [], 0
    for masked in clip(200):
        shot.add(masked.frame.index, Picture(masked.frame.image, masked.mask > 0))
        given += sum(fill is not None for _, fill in shot.finished(ended=False))
        held.append(len(shot._entries))
    given += len(list(shot.finished(ended=True)))
    assert given == 200
    assert network.encoded == 200
    assert network.flows == 199
    assert network.decoded == sum(
        len(range(max(0, c - 5), min(200, c + 6))) for c in range(0, 200, 5)
    )
    assert network.most <= planning.LOCAL + 2 * (20 // planning.STEP)
    assert max(held[50:]) == max(held[150:])
    assert max(held) <= 5 + 20 + 1 + 2 + 1


def test_frames_around_which_nothing_is_masked_cost_nothing() -> None:
    network = Counting()
    shot = Shot(network, "cpu", reach=20)  # type: ignore[arg-type]
    for masked in clip(100):
        hole = masked.mask > 0 if masked.frame.index == 50 else np.zeros((60, 108), bool)
        shot.add(masked.frame.index, Picture(masked.frame.image, hole))
        list(shot.finished(ended=False))
    list(shot.finished(ended=True))
    assert network.decoded == 3
    assert network.encoded <= 21 + 4


# ---- pictures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "height"),
    [(854, 480), (432, 240), (200, 100), (1, 1), (900, 60), (60, 900), (437, 251)],
)
def test_what_a_network_sees_comes_back_to_where_it_was(width: int, height: int) -> None:
    y, x = np.mgrid[:height, :width].astype(float)
    image = np.stack([x * 255 / width, y * 255 / height, (x + y) * 127 / (width + height)], axis=-1)
    image = image.astype(np.uint8)
    hole = np.zeros((height, width), bool)
    hole[height // 3 : height // 3 + 1 + height // 4, width // 3 : width // 3 + 1 + width // 4] = (
        True
    )
    sight = Fitted(width, height, (240, 432), 4)
    seen = sight.take(image, np.zeros_like(hole))
    assert seen.image.shape == (240, 432, 3)
    result = image.copy()
    result[hole] = 0
    sight.paste(result, hole, sight.take(image, hole), seen.image)
    assert np.abs(result.astype(int) - image)[hole].max() <= 3
    assert np.array_equal(result[~hole], image[~hole])


def test_a_thin_line_stays_a_hole_when_it_is_shrunk() -> None:
    hole = np.zeros((1080, 1944), bool)
    hole[:, 1000] = True
    image = np.zeros((1080, 1944, 3), np.uint8)
    image[:, 1000] = 255
    seen = Fitted(1944, 1080, (240, 432), 0).take(image, hole)
    assert seen.hole[:, 1000 * 432 // 1944].all()
    assert not np.array_equal(image, np.zeros_like(image))


# ---- memory and tiles --------------------------------------------------------------------------


def test_less_memory_means_fewer_references_then_tiles_then_a_sentence() -> None:
    def way(memory: float | None) -> planning.Plan:
        limit = None if memory is None else int(memory * 2**30)
        return planning.plan(1280, 720, 50, 4, limit, tiled=True)

    free = way(None)
    assert (len(free.tiles), free.reach) == (1, 50)
    assert free.memory is not None
    ways = [way(gib) for gib in (free.memory / 2**30, 8, 5, 3.5, 2.5)]
    assert ways[0] == free
    assert [len(w.tiles) for w in ways] == sorted(len(w.tiles) for w in ways)
    assert len(ways[1].tiles) == 1
    assert len(ways[-1].tiles) > 1
    for w, gib in zip(ways[1:], (8, 5, 3.5, 2.5), strict=True):
        assert w.memory is not None
        assert w.memory <= gib * 2**30
    assert "tiles" in str(ways[-1])
    with pytest.raises(InputError, match=r"1280x720 takes .* GiB at least"):
        way(0.5)


def test_tiles_cover_the_region_and_fade_into_each_other() -> None:
    chosen = planning.plan(1280, 720, 50, 4, int(2.5 * 2**30), tiled=True)
    tiles, parts = [], []
    for number, box in enumerate(chosen.tiles):
        tile = base._Tile(box, planning.weights(box, 1280, 720), None, None)  # type: ignore[arg-type]
        tiles.append(tile)
        image = np.full((box.height, box.width, 3), 20 + 20 * (number % 2), np.uint8)
        parts.append((tile, image))
    mixed = base._mixed(parts, (720, 1280)).astype(int)
    assert mixed.min() >= 20
    for axis in (0, 1):
        assert np.abs(np.diff(mixed, axis=axis)).max() <= 2


def test_a_region_in_tiles_is_filled_and_nothing_else_changes(weights: dict[str, str]) -> None:
    frames = clip(7, 300, 150)
    whole = engine(weights, "e2fgvi_hq")
    patch = pytest.MonkeyPatch()
    patch.setattr(
        type(whole),
        "plan",
        lambda self, w, h: planning.Plan(w, h, (Box(0, 0, 216, h), Box(84, 0, 300, h)), 50, None),
    )
    with patch.context():
        found = images(engine(weights, "e2fgvi_hq").inpaint(frames))
    patch.undo()
    for masked, got in zip(frames, found, strict=True):
        assert np.array_equal(got[masked.mask == 0], masked.frame.image[masked.mask == 0])
        assert not np.array_equal(got, masked.frame.image)


def test_the_plan_of_each_engine_is_told(weights: dict[str, str]) -> None:
    for name in NAMES:
        made = engine(weights, name, Runtime(memory=8 << 30))
        assert "references from 50 frames" in str(made.plan(108, 60))
    with pytest.raises(InputError, match="GiB"):
        engine(weights, "e2fgvi_hq", Runtime(memory=1 << 20)).plan(1280, 720)


def test_a_file_of_the_other_variant_is_refused(weights: dict[str, str]) -> None:
    with pytest.raises(WeightsError, match="e2fgvi"):
        engine({"e2fgvi": weights["e2fgvi_hq"]}, "e2fgvi")


def test_windows_of_the_published_procedure_are_those_of_the_notes() -> None:
    from tests.e2fgvi_published import windows

    found = windows(14)
    assert [w.centre for w in found] == [0, 5, 10]
    assert [list(w.neighbours)[-1] for w in found] == [5, 10, 13]
    assert [w.references for w in found] == [[10], [], [0]]
    assert all(a.centre < b.centre for a, b in itertools.pairwise(found))


def test_weights_of_another_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(WeightsError, match=r"text\.pth"):
        registry.create("inpaint", "e2fgvi", {"weights": str(tmp_path / "text.pth")})
