"""What the engine siammask_hq promises beyond the contract of all trackers.

Networks that know things are played: SiamMask says what a script says, and HQ-SAM outlines what is
red in the box that it is given, and what is green there too unless it is told not to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cleanplate import registry
from cleanplate.checkpoints import store
from cleanplate.cli.engines import _here
from cleanplate.errors import InputError
from cleanplate.types import Frame, Visibility

torch: Any = pytest.importorskip("torch", reason="The engine siammask_hq needs torch")

from cleanplate.engines.track.shared.siammask.detector import Detection  # noqa: E402
from cleanplate.engines.track.shared.siammask.geometry import Place  # noqa: E402
from cleanplate.engines.track.shared.siammask.settings import SiamMaskSettings  # noqa: E402
from cleanplate.engines.track.shared.siammask.target import Target  # noqa: E402
from cleanplate.engines.track.siammask_hq.detector import HqDetector, LastOutline, LastOutlines  # noqa: E402
from cleanplate.engines.track.siammask_hq.outline import Outliner  # noqa: E402
from cleanplate.engines.track.siammask_hq.settings import SiamMaskHqSettings  # noqa: E402
from tests.weights import make_sam_small, make_siammask_small, provide  # noqa: E402

SIZE = (240, 320)
RED, GREEN = (200, 0, 0), (0, 200, 0)


def picture(*things: tuple[tuple[int, int, int], tuple[int, int, int, int]]) -> np.ndarray:
    """Boxes x0, y0, x1, y1 in colours on grey."""
    image = np.full((*SIZE, 3), 90, np.uint8)
    for colour, (x0, y0, x1, y1) in things:
        image[y0:y1, x0:x1] = colour
    return image


def filled(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[y0:y1, x0:x1] = True
    return mask


class ScriptedSiamMask:
    """Sees the object at each of ``places`` in turn; without any, where and as it was."""

    def __init__(self, place: Place, *places: Place, score: float = 0.9) -> None:
        self.place, self.places, self.score = place, list(places), score
        self.asked: list[tuple[float, float] | None] = []

    def detect(
        self,
        image: np.ndarray,
        outline: bool = True,
        around: tuple[float, float] | None = None,
    ) -> Detection:
        self.asked.append(around)
        place = self.places.pop(0) if self.places else self.place
        (x0, y0), _, (x1, y1), _ = place.corners.round().astype(int).clip(0).tolist()
        mask = filled(x0, y0, x1, y1)
        strength = np.where(mask, np.float32(0.8), np.float32(-1))
        return Detection(place, self.score, mask, strength, place.corners, (12, 12))

    def accept(self, detection: Detection) -> None:
        self.place = detection.place

    def state(self) -> dict[str, np.ndarray]:
        return {}


@dataclass
class Answer:
    logits: np.ndarray
    quality: np.ndarray


class Painter:
    """Outlines what is red in the box, and what is green unless a negative point lies there."""

    def __init__(self) -> None:
        self.quality: Callable[[np.ndarray, np.ndarray], float] = lambda mask, box: 0.95
        self.logit = 6.0
        self.sees = True
        self.bounded = True  # by the box
        self.crops: list[tuple[int, ...]] = []
        self.boxes: list[np.ndarray] = []
        self.points: list[tuple[list[list[float]], list[int]]] = []

    def encode(self, image: np.ndarray) -> np.ndarray:
        self.crops.append(image.shape[:2])
        return image

    def decode_many(
        self,
        encoded: np.ndarray,
        points: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        boxes: np.ndarray | None = None,
    ) -> Answer:
        assert boxes is not None
        self.boxes.append(boxes[0])
        red, green = encoded[..., 0] > 150, encoded[..., 1] > 150
        pointed = (
            list(zip(points[0].tolist(), labels[0].tolist(), strict=True))
            if (points is not None and labels is not None)
            else []
        )
        self.points.append(([place for place, _ in pointed], [label for _, label in pointed]))
        refused = any(not label and green[int(y), int(x)] for (x, y), label in pointed)
        mask = red | (green & ~np.bool_(refused))
        x0, y0, x1, y1 = boxes[0].round().astype(int).clip(0)
        inside = np.zeros_like(mask)
        inside[y0:y1, x0:x1] = True
        inside |= not self.bounded
        mask &= inside & np.bool_(self.sees)
        logits = np.where(mask, self.logit, -self.logit).astype(np.float32)
        return Answer(logits[None, None], np.array([[self.quality(mask, boxes[0])]], np.float32))


class Scene:
    """One object followed by the played networks."""

    def __init__(
        self, siam: ScriptedSiamMask, last_outlines: LastOutlines | None = None, **settings: Any
    ) -> None:
        self.siam, self.sam, self.last_outlines = (
            siam,
            Painter(),
            {} if last_outlines is None else last_outlines,
        )
        self.settings = SiamMaskHqSettings(**settings)
        self.detector = HqDetector(
            siam, Outliner(self.sam, self.settings), self.settings, 1, self.last_outlines
        )
        inner = SiamMaskSettings(
            lost_below=self.settings.lost_below, sure_above=self.settings.sure_above
        )
        self.target = Target(inner, self.detector)

    def step(self, image: np.ndarray, cut: bool = False) -> tuple[np.ndarray, Visibility, float]:
        covered, _ = self.target.step(image, cut)
        state = self.target.report(1, bool(covered.any()))
        return covered, state.visibility, state.confidence


def middle(x0: float, y0: float, x1: float, y1: float) -> Place:
    return Place((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)


# --- the box ---


def test_the_outline_is_hq_sam_s_when_all_is_well() -> None:
    scene = Scene(ScriptedSiamMask(middle(97, 78, 143, 122)))
    covered, visibility, confidence = scene.step(picture((RED, (100, 80, 140, 120))))
    np.testing.assert_array_equal(covered, filled(100, 80, 140, 120))
    assert visibility is Visibility.VISIBLE
    assert confidence == pytest.approx(0.9)


def test_the_box_grows_while_the_outline_touches_its_edge() -> None:
    thing, image = (100, 80, 190, 120), picture((RED, (100, 80, 190, 120)))
    cut_off = middle(100, 80, 150, 120)
    covered, visibility, _ = Scene(ScriptedSiamMask(cut_off)).step(image)
    np.testing.assert_array_equal(covered, filled(*thing))
    assert visibility is Visibility.VISIBLE
    held, _, _ = Scene(ScriptedSiamMask(cut_off), grow_times=0).step(image)
    assert held.sum() < 0.7 * covered.sum()


def test_the_box_grows_only_so_often_and_not_beyond_the_picture() -> None:
    scene = Scene(ScriptedSiamMask(middle(150, 110, 170, 130)), grow_times=4)
    scene.step(picture((RED, (0, 0, 320, 240))))
    assert len(scene.sam.boxes) == 5
    at_border = Scene(ScriptedSiamMask(middle(0, 0, 40, 30)))
    at_border.step(picture((RED, (0, 0, 40, 30))))
    assert len(at_border.sam.boxes) == 1


def test_a_box_that_is_too_large_shrinks_to_the_outline_and_is_asked_again() -> None:
    scene = Scene(ScriptedSiamMask(middle(80, 60, 160, 140)), agreement=0.1)
    scene.sam.quality = lambda mask, box: mask.sum() / np.prod(box[2:] - box[:2])
    covered, visibility, _ = scene.step(picture((RED, (100, 80, 140, 120))))
    assert visibility is Visibility.VISIBLE  # in the large box quality is 0.2
    np.testing.assert_array_equal(covered, filled(100, 80, 140, 120))
    first, last = (box[2:] - box[:2] for box in scene.sam.boxes)
    assert (first > 80).all()
    assert (last < 50).all()


@pytest.mark.parametrize(("side", "shown"), [(8, 70), (40, 100), (100, 240)])
def test_small_things_are_seen_large(side: int, shown: int) -> None:
    thing = (100, 80, 100 + side, 80 + side)
    scene = Scene(ScriptedSiamMask(middle(*thing)))
    scene.step(picture((RED, thing)))
    (crop,) = scene.sam.crops  # a box that need not grow costs one look
    assert max(crop) <= shown


def test_what_is_tiny_is_seen_with_enough_around_it_and_closer_than_a_box_far_too_large() -> None:
    scene = Scene(ScriptedSiamMask(middle(100, 80, 108, 88)))
    scene.step(picture((RED, (100, 80, 108, 88))))
    assert min(scene.sam.crops[0]) >= 64
    scene = Scene(ScriptedSiamMask(middle(100, 60, 240, 200)), agreement=0)
    scene.step(picture((RED, (160, 120, 180, 140))))
    assert [max(crop) < 80 for crop in scene.sam.crops] == [False, True]


def test_islands_and_what_lies_beyond_the_box_are_no_part_of_the_outline() -> None:
    scene = Scene(ScriptedSiamMask(middle(*THING)))
    scene.sam.bounded = False
    specks = [(RED, (102, 122, 104, 124)), (RED, (170, 80, 180, 120))]
    covered, _, _ = scene.step(picture((RED, (100, 80, 140, 119)), *specks))
    np.testing.assert_array_equal(covered, filled(100, 80, 140, 119))


def test_size_and_zoom_are_followed_where_siammask_alone_would_not() -> None:
    siam = ScriptedSiamMask(middle(150, 110, 170, 130))  # sees it as it was, for ever
    scene = Scene(siam)
    for half in range(10, 80, 3):
        thing = (160 - half, 120 - half, 160 + half, 120 + half)
        covered, visibility, _ = scene.step(picture((RED, thing)))
        np.testing.assert_array_equal(covered, filled(*thing))
        assert visibility is Visibility.VISIBLE
    assert siam.place == Place(160, 120, 2 * half, 2 * half)


def test_where_the_two_disagree_siammask_s_place_and_outline_stay() -> None:
    place = middle(150, 110, 170, 130)
    scene = Scene(ScriptedSiamMask(place))
    covered, visibility, confidence = scene.step(picture((RED, (100, 60, 220, 180))))
    np.testing.assert_array_equal(covered, filled(150, 110, 170, 130))
    assert scene.siam.place == place
    assert visibility is Visibility.PARTLY_HIDDEN
    assert 0.3 <= confidence < 0.7


# --- doubt ---

THING = (100, 80, 140, 120)


def followed(**settings: Any) -> Scene:
    """A scene in which the object was seen once."""
    scene = Scene(ScriptedSiamMask(middle(*THING)), **settings)
    scene.step(picture((RED, THING)))
    return scene


def test_an_outline_never_collapses_silently() -> None:
    scene = followed(agreement=0)
    covered, visibility, confidence = scene.step(picture((RED, (100, 80, 110, 100))))
    np.testing.assert_array_equal(covered, filled(*THING))
    assert visibility is Visibility.PARTLY_HIDDEN
    assert confidence < 0.7
    believed, visibility, _ = followed(agreement=0, fall=20).step(
        picture((RED, (100, 80, 110, 100)))
    )
    assert believed.sum() == 200
    assert visibility is Visibility.VISIBLE


def test_what_really_is_much_smaller_is_believed_after_some_frames() -> None:
    scene = followed(agreement=0)
    answers = [scene.step(picture((RED, (100, 80, 110, 90)))) for _ in range(4)]
    kinds = [visibility for _, visibility, _ in answers]
    assert kinds == [Visibility.PARTLY_HIDDEN] * 2 + [Visibility.VISIBLE] * 2  # 1600 / 3 / 3 < 300
    assert answers[-1][0].sum() == 100


def test_one_doubtful_frame_does_not_change_what_the_next_is_compared_with() -> None:
    scene = followed(agreement=0)
    scene.sam.sees = False
    scene.siam.places = [middle(100, 80, 104, 84)]
    scene.step(picture())
    scene.sam.sees = True
    _, visibility, _ = scene.step(picture((RED, (100, 80, 106, 86))))
    assert visibility is Visibility.PARTLY_HIDDEN


def test_a_clear_outline_that_fell_is_doubted_and_not_gone_though_siammask_wavers() -> None:
    scene = followed(agreement=0)
    scene.siam.score = 0.45
    scene.sam.quality = lambda mask, box: 0.8
    covered, visibility, confidence = scene.step(picture((RED, (100, 80, 110, 100))))
    assert covered.sum() == 1600
    assert visibility is Visibility.PARTLY_HIDDEN
    assert confidence == pytest.approx(0.45)  # and not 0.45 * 0.8


def test_confidence_is_that_of_the_less_sure() -> None:
    scene = followed()
    scene.sam.quality = lambda mask, box: 0.75
    assert scene.step(picture((RED, THING)))[2] == pytest.approx(0.75)
    scene.siam.score = 0.72
    assert scene.step(picture((RED, THING)))[2] == pytest.approx(0.72)


def nothing(sam: Painter) -> None:
    sam.sees = False


def poor(sam: Painter) -> None:
    sam.quality = lambda mask, box: 0.5


def wavering(sam: Painter) -> None:
    sam.logit = 0.5  # no pixel is above the higher of the two thresholds


@pytest.mark.parametrize("spoil", [nothing, poor, wavering])
def test_siammask_s_outline_stays_where_hq_sam_is_not_sure(
    spoil: Callable[[Painter], None],
) -> None:
    scene = followed()
    scene.siam.places = [middle(103, 80, 143, 120)]
    spoil(scene.sam)
    covered, visibility, confidence = scene.step(picture((RED, (108, 80, 140, 120))))
    np.testing.assert_array_equal(covered, filled(103, 80, 143, 120))
    assert visibility is Visibility.PARTLY_HIDDEN
    assert 0.3 <= confidence < 0.7


@pytest.mark.parametrize("spoil", [nothing, wavering])
def test_what_neither_is_sure_of_is_hidden(spoil: Callable[[Painter], None]) -> None:
    scene = followed()
    scene.siam.score = 0.6
    assert scene.step(picture((RED, THING)))[1] is Visibility.PARTLY_HIDDEN
    spoil(scene.sam)
    covered, visibility, confidence = scene.step(picture((RED, THING)))
    assert not covered.any()
    assert visibility is Visibility.HIDDEN
    assert confidence < 0.3


def test_what_is_lost_is_searched_and_taken_up_only_when_both_are_sure() -> None:
    scene = followed()
    scene.siam.score = 0.1
    assert scene.step(picture())[1] is Visibility.HIDDEN
    scene.siam.score = 0.9  # on something alike that HQ-SAM finds no outline of
    scene.sam.sees = False
    scene.siam.asked.clear()
    assert scene.step(picture())[1] is Visibility.HIDDEN
    assert any(around is not None for around in scene.siam.asked)
    # Back elsewhere, at a tenth of its size.
    scene.sam.sees = True
    scene.siam.places = [middle(220, 180, 232, 192)]
    covered, visibility, _ = scene.step(picture((RED, (220, 180, 232, 192))))
    assert visibility is Visibility.VISIBLE
    np.testing.assert_array_equal(covered, filled(220, 180, 232, 192))


def test_hq_sam_is_not_asked_about_what_siammask_hardly_sees() -> None:
    scene = followed()
    asked = len(scene.sam.boxes)
    scene.siam.score = 0.2
    scene.step(picture())
    scene.siam.score = 0.6  # enough to go on, not to be found again
    scene.step(picture())
    assert len(scene.sam.boxes) == asked


# --- several objects ---

BESIDE = (142, 80, 160, 120)


def test_what_is_inside_another_object_is_not_this_one() -> None:
    image = picture((RED, THING), (GREEN, BESIDE))
    alone, _, _ = Scene(ScriptedSiamMask(middle(100, 80, 150, 120))).step(image)
    assert (alone & filled(*BESIDE)).any()
    last_outlines = {2: LastOutline(720.0, (150.0, 100.0))}
    covered, _, _ = Scene(ScriptedSiamMask(middle(100, 80, 150, 120)), last_outlines).step(image)
    np.testing.assert_array_equal(covered, filled(*THING))


def test_the_place_deep_inside_moves_with_the_box_and_is_pointed_at_in_a_crowd() -> None:
    scene = followed()
    assert scene.sam.points[-1] == ([], [])
    scene.siam.places = [middle(110, 80, 170, 140)]  # moved by 20, 10 and grown by half
    before = scene.last_outlines[1].inside
    scene.last_outlines[2] = LastOutline(100.0, (180.0, 130.0))
    scene.last_outlines[3] = LastOutline(100.0, (20.0, 20.0))  # far off
    scene.step(picture((RED, (110, 80, 170, 140))))
    places, labels = scene.sam.points[-1]
    assert labels == [1, 0]
    wanted = 110 + (before[0] - 100) * 1.5, 80 + (before[1] - 80) * 1.5
    origin = np.array([180.0, 130.0]) - places[1]
    np.testing.assert_allclose(np.array(places[0]) + origin, wanted)


def test_what_is_hidden_is_nowhere_to_be_kept_off() -> None:
    scene = followed()
    assert 1 in scene.last_outlines
    scene.siam.score = 0.1
    scene.step(picture())
    assert 1 not in scene.last_outlines


def test_others_are_pointed_at_in_the_same_order_however_they_became_known() -> None:
    asked = []
    for order in ((2, 3), (3, 2)):
        scene = followed()
        scene.last_outlines |= {n: LastOutline(9.0, (90.0 + n, 100.0)) for n in order}
        scene.step(picture((RED, THING)))
        asked.append(scene.sam.points[-1])
    assert asked[0] == asked[1]
    assert asked[0][1] == [1, 0, 0]


def test_of_two_that_pass_the_hidden_one_does_not_cut_a_hole_into_the_other() -> None:
    last_outlines: LastOutlines = {}
    front, back = (Scene(ScriptedSiamMask(middle(*THING)), last_outlines) for _ in range(2))
    back.detector._number = 2
    last_outlines[1], last_outlines[2] = (
        LastOutline(1600.0, (120.0, 100.0)),
        LastOutline(1600.0, (120.0, 100.0)),
    )
    back.siam.score = 0.1
    for scene in (back, front):
        scene.step(picture((GREEN, THING)))
    np.testing.assert_array_equal(front.step(picture((GREEN, THING)))[0], filled(*THING))


def test_what_was_known_of_the_outline_is_known_after_resuming() -> None:
    scene = followed(agreement=0)
    state = scene.target.state()
    other = Scene(ScriptedSiamMask(scene.siam.place), agreement=0)
    other.detector.restore(state)
    assert other.last_outlines == scene.last_outlines
    _, visibility, _ = other.step(picture((RED, (100, 80, 110, 100))))
    assert visibility is Visibility.PARTLY_HIDDEN


# --- the engine ---


def test_both_files_are_needed_and_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(store.PLACE, str(tmp_path))
    about = registry.find("track", "siammask_hq").about
    row = {"fault": "", "missing": [], "checkpoints": about.checkpoints, "also": about.also}
    assert (about.checkpoints[0], about.also[0]) == ("siammask_davis", "sam_hq_vit_tiny")
    for name, answer in (("siammask_vot", "needs weights"), ("sam_hq_vit_tiny", "yes")):
        store.path_of(name).touch()
        assert _here(row).startswith(answer)


def test_the_networks_come_from_the_files_that_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_sam_small(monkeypatch)
    make_siammask_small(monkeypatch)
    monkeypatch.setenv(store.PLACE, str(tmp_path))
    files = {"weights": "siammask_davis", "hq_weights": "sam_hq_vit_tiny"}
    for name in files.values():
        provide(name)
        store.path_of(name).rename(tmp_path / f"my_{name}.pth")
    settings = {key: str(tmp_path / f"my_{name}.pth") for key, name in files.items()}
    engine = registry.create("track", "siammask_hq", settings | {"grow_times": "0"})
    mask = np.zeros((80, 120), np.uint8)
    mask[20:60, 30:90] = 4
    image = np.random.default_rng(0).integers(0, 256, (80, 120, 3), np.uint8)
    tracking = engine.start(Frame(0, Fraction(0), image), mask)
    answer = tracking.step(Frame(1, Fraction(1, 25), image))
    assert [state.object_id for state in answer.objects] == [4]
    tracking.correct(Frame(1, Fraction(1, 25), image), np.where(mask, 7, 0).astype(np.uint8))
    answer = tracking.step(Frame(2, Fraction(2, 25), image))
    assert [state.object_id for state in answer.objects] == [4, 7]


def test_thresholds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(InputError, match=r"lost_below is 0\.7; it must be below sure_above, 0\.7"):
        SiamMaskHqSettings(lost_below=0.7)
