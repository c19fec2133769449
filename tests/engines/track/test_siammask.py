"""What the engine siammask promises beyond the contract of all trackers."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cleanplate import registry
from cleanplate.errors import InputError
from cleanplate.protocols import Runtime
from cleanplate.types import Frame, Visibility

torch: Any = pytest.importorskip("torch", reason="The engine siammask needs torch")

from cleanplate.engines.track.shared.siammask.follower import Follower, Sighting  # noqa: E402
from cleanplate.engines.track.shared.siammask.geometry import (  # noqa: E402
    TUNINGS,
    Place,
    anchors,
    crop,
    place_of,
    rotated_box,
)
from cleanplate.engines.track.shared.siammask.quarry import Quarry  # noqa: E402
from cleanplate.engines.track.shared.siammask.settings import SiamMaskSettings  # noqa: E402
from cleanplate.engines.track.shared.siammask.tracking import SiamMaskTracking  # noqa: E402
from cleanplate.networks import siammask as network_module  # noqa: E402
from tests.weights import lively_weights, make_siammask_small  # noqa: E402

SIZE = (120, 160)


@pytest.fixture(scope="module")
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        make_siammask_small(patch)
        yield


def network(fold: bool = True) -> network_module.SiamMask:
    made = network_module.SiamMask().eval().requires_grad_(False)
    made.load_state_dict(lively_weights(made))
    return made.fold() if fold else made


def image(seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


class Scripted(Follower):
    """Says what it is told to, and notes where it was asked to look."""

    def __init__(self, *scores: float) -> None:
        self.place = Place(60, 60, 30, 20)
        self.scores = list(scores)
        self.asked: list[tuple[float, float] | None] = []

    def look(
        self,
        image: np.ndarray,
        outline: bool = True,
        around: tuple[float, float] | None = None,
    ) -> Sighting:
        self.asked.append(around)
        x, y = around or (self.place.x + 5, self.place.y)
        place = Place(x, y, self.place.width + 1, self.place.height)
        mask = np.zeros(SIZE, bool)
        mask[40:60, 40:70] = True
        score = self.scores.pop(0)
        return Sighting(place, score, mask, mask * np.float32(score), place.corners, (12, 12))


def steps(quarry: Quarry, count: int, cut: bool = False) -> list[tuple[bool, Visibility]]:
    answers = []
    for _ in range(count):
        covered, _ = quarry.step(image(), cut)
        state = quarry.report(1, bool(covered.any()))
        answers.append((bool(covered.any()), state.visibility))
    return answers


def test_confidence_tells_whole_from_partly_hidden_and_hidden() -> None:
    follower = Scripted(0.9, 0.5, 0.1)
    assert steps(Quarry(SiamMaskSettings(), follower), 3) == [
        (True, Visibility.VISIBLE),
        (True, Visibility.PARTLY_HIDDEN),
        (False, Visibility.HIDDEN),
    ]


def test_what_is_hidden_keeps_its_place_and_size_and_is_lost_in_the_end() -> None:
    follower = Scripted(*[0.1] * 200)
    answers = steps(Quarry(SiamMaskSettings(), follower), 14)
    assert answers[0] == (False, Visibility.HIDDEN)
    assert answers[-1] == (False, Visibility.LOST)
    assert follower.place == Place(60, 60, 30, 20)


def test_what_is_lost_is_searched_all_over_the_picture_and_taken_up_only_when_sure() -> None:
    # One look in the first frame; later one at the last place and three elsewhere.
    follower = Scripted(0.1, *[0.5, 0.5, 0.5, 0.5], *[0.2, 0.9])
    answers = steps(Quarry(SiamMaskSettings(), follower), 3)
    assert [seen for seen, _ in answers] == [False, False, True]
    assert follower.asked[:2] == [None, None]
    elsewhere = [at for at in follower.asked if at is not None]
    assert len(set(elsewhere)) == 4
    assert follower.place.x == elsewhere[-1][0]


def test_after_a_cut_the_whole_picture_is_searched_at_once() -> None:
    follower = Scripted(*[0.5] * 13)
    assert steps(Quarry(SiamMaskSettings(), follower), 1, cut=True) == [(False, Visibility.HIDDEN)]
    assert len(follower.asked) > 6


def test_a_box_covers_the_pixels_between_its_edges_and_no_more() -> None:
    covered, _ = Quarry(SiamMaskSettings(shape="box"), Scripted(0.9)).step(image(), False)
    rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
    assert (rows[0], rows[-1] + 1) == (50, 70)
    assert (columns[0], columns[-1] + 1) == (50, 80)  # 65 in the middle, 31 wide: 49.5 to 80.5


def test_as_published_nothing_counts_as_gone() -> None:
    follower = Scripted(0.01, 0.01)
    answers = steps(Quarry(SiamMaskSettings(lost_below=0), follower), 2)
    assert [seen for seen, _ in answers] == [True, True]
    assert follower.place.x == 70


def test_a_pixel_of_two_objects_is_the_surer_one_s() -> None:
    quarries = {
        n: Quarry(SiamMaskSettings(), Scripted(score)) for n, score in ((3, 0.75), (7, 0.95))
    }
    begin: Any = None
    tracking = SiamMaskTracking(begin, SIZE, 0, quarries)
    answer = tracking.step(Frame(1, Fraction(1, 25), image()))
    assert set(np.unique(answer.mask)) == {0, 7}
    assert [s.visibility for s in answer.objects] == [Visibility.HIDDEN, Visibility.VISIBLE]


def test_one_cell_alone_is_what_it_is_among_all_and_folding_changes_nothing(small: None) -> None:
    with torch.inference_mode():
        plain, folded = network(fold=False), network()
        generator = torch.Generator().manual_seed(0)
        picture = torch.randint(0, 256, (1, 3, 255, 255), generator=generator).float()
        close = partial(torch.testing.assert_close, rtol=1e-3, atol=1e-3)
        answers = []
        for one in (plain, folded):
            exemplar, region = one.exemplar(picture[..., :127, :127]), one.region(picture)
            head = one.mask_model.mask
            every = head(exemplar.mask, region.features)
            for row, column in ((0, 0), (24, 3), (11, 24)):
                alone = one.coarse_mask(exemplar, region, row, column)
                close(alone.flatten(), every[0, :, row, column])
            answers.append([*one.locate(exemplar, region), every])
        close(answers[0], answers[1])


def test_a_lower_precision_finds_the_same_place(small: None) -> None:
    found = []
    for kind in (torch.float32, torch.bfloat16):
        follower = Follower.start(
            network().to(kind), TUNINGS["vot"], image(), Place(70, 60, 40, 30)
        )
        found.append(follower.look(image()))
    full, half = found
    assert full.cell == half.cell
    assert abs(full.place.x - half.place.x) < 1
    assert abs(full.place.width - half.place.width) < 1
    assert abs(full.score - half.score) < 0.05
    assert full.mask.any()
    assert (full.mask != half.mask).mean() < 0.05


def test_anchors_are_the_published_ones() -> None:
    sizes = [tuple(int(v) for v in anchor[12, 12, 2:]) for anchor in anchors()]
    assert sizes == [(104, 32), (88, 40), (64, 64), (40, 80), (32, 96)]
    assert anchors()[0, 0, 24, :2].tolist() == [96, -96]


def test_a_crop_beyond_the_picture_shows_the_fill_there() -> None:
    picture = np.full((20, 30, 3), 200, np.uint8)
    found = crop(picture, 0, 0, 11, 11, np.array([10.9, 20, 30]))
    assert found[0, 0].tolist() == [10, 20, 30]
    assert found[10, 10].tolist() == [200, 200, 200]
    assert (crop(picture, 500, 500, 9, 127, np.array([1, 2, 3])) == [1, 2, 3]).all()


def test_a_place_is_the_box_around_a_mask() -> None:
    mask = np.zeros((50, 60), bool)
    mask[10:20, 30:50] = True
    place = place_of(mask)
    assert place == Place(40, 15, 20, 10)
    assert place.corners.tolist() == [[30, 10], [50, 10], [50, 20], [30, 20]]
    assert rotated_box(np.zeros_like(mask), place).tolist() == place.corners.tolist()


@pytest.mark.parametrize("shape", ["mask", "box", "rotated box"])
@pytest.mark.parametrize(
    ("refine", "file"), [("yes", "published"), ("no", "published"), ("no", "without refinement")]
)
def test_every_shape_is_drawn_with_and_without_refinement(
    small: None, tmp_path: Path, shape: str, refine: str, file: str
) -> None:
    made = network(fold=False).state_dict()
    if file == "without refinement":
        made = {name: w for name, w in made.items() if not name.startswith("refine_model.")}
    torch.save({"state_dict": {f"module.{n}": w for n, w in made.items()}}, tmp_path / "file.pth")
    settings = {"weights": str(tmp_path / "file.pth"), "lost_below": "0", "shape": shape}
    engine = registry.create("track", "siammask", settings | {"refine": refine}, Runtime())
    mask = np.zeros(SIZE, np.uint8)
    mask[40:80, 50:110] = 4
    tracking = engine.start(Frame(0, Fraction(0), image()), mask)
    answer = tracking.step(Frame(1, Fraction(1, 25), image()))
    assert set(np.unique(answer.mask)) == {0, 4}


def test_thresholds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"lost_below is 0\.8; it must be at most sure_above, 0\.7"
    ):
        SiamMaskSettings(lost_below=0.8)
