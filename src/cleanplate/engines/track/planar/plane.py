"""One plane through one clip: a step from frame to frame, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from cleanplate.arrays import planes
from cleanplate.arrays.planes import Motion
from cleanplate.engines.track.planar import points, search, templates
from cleanplate.engines.track.planar.anchor import approach, refine
from cleanplate.engines.track.planar.likeness import Likeness, compare, texture_share
from cleanplate.engines.track.planar.pictures import Features, Picture
from cleanplate.engines.track.planar.sight import Sight, convinces
from cleanplate.engines.track.planar.templates import Template
from cleanplate.types import ObjectState

CONTENT = 0.80  # score of a first guess that ends the search for better ones
HOPELESS = 0.25  # score after a coarse alignment below which a finer one is not tried
PLAIN = 0.05  # share of texture below which a margin is looked at
MARGIN = 0.1  # of the object's size
KEYS = 8  # stored views at most
KEY_SCALE = 1.25  # apart
STRETCH = 4.0  # most change of the side ratio of a thing that was never lost
GROWTH = 1.4  # most change of the size from one frame to the next
COAST = 0.85  # of the velocity is kept in each frame in which nothing is seen


@dataclass(slots=True, eq=False)
class Guess:
    """A pose and how well it fits."""

    pose: np.ndarray
    likeness: Likeness
    inliers: int = 0

    @property
    def score(self) -> float:
        return self.likeness.score


class Plane:
    """One object. Everything here is changed by ``step`` alone."""

    def __init__(
        self,
        object_id: int,
        mask: np.ndarray,
        corner: np.ndarray,
        quad: np.ndarray,
        margin: float = 0.0,
    ) -> None:
        """
        Args:
            object_id: 1..255.
            mask: (h, w) uint8 0 or 255, the object.
            corner: (x, y) of the mask's first pixel in the first frame.
            quad: (4, 2) the object's corners in the first frame, at pixel edges.
            margin: how much of the object's size around it is looked at too.
        """
        self.object_id, self.mask, self.corner, self.quad = object_id, mask, corner, quad
        self.margin, self.pixels = margin, cv2.countNonZero(mask)
        sides = np.array(planes.sides(quad))
        self.extent = sides / sides.max()
        centre = quad.mean(axis=0)
        looked_at = centre + (1 + 2 * margin) * (quad - centre) - 0.5
        self.first_pose = planes.between(templates.corners(self.extent), looked_at)
        self.pose = self.trusted = self.first_pose
        self.velocity = np.zeros(2)
        self.keys: list[Template] = []
        self.correlation = np.ones((1, 1), np.float32)
        self.sight = Sight()

    @classmethod
    def start(cls, object_id: int, picture: Picture, whole: np.ndarray) -> Plane:
        """The object where ``whole`` ((H, W) bool) is True."""
        quad = planes.quad_of_mask(whole)
        ys, xs = np.nonzero(whole)
        x, y = int(xs.min()), int(ys.min())
        mask = np.where(whole[y : ys.max() + 1, x : xs.max() + 1], 255, 0).astype(np.uint8)
        # A plain thing can be followed by its outline alone: then a margin belongs to the view.
        for margin in (0.0, MARGIN):
            plane = cls(object_id, mask, np.array([x, y]), quad, margin)
            plane.keys = [templates.take(picture, plane.pose, plane.extent, plane._surface())]
            if texture_share(plane.keys[0]) >= PLAIN:
                return plane
        return plane

    def step(self, previous: Picture, picture: Picture, cut: bool) -> None:
        """Follow from ``previous`` into ``picture``; ``cut``: they are of different shots."""
        if cut:
            self.velocity = np.zeros(2)
            self.sight.forget()
        following = self.sight.sees
        best = self._follow(previous, picture) if following else self._stay(picture)
        if self.sight.wants_search(best.score):
            best = max([best, *self._search(picture)], key=lambda guess: guess.score)
        self.sight.judge(best.likeness, best.inliers, best.pose)
        if not self.sight.sees:
            self.velocity = COAST * self.velocity
            self.pose = planes.translation(*self.velocity) @ self.pose
            if not self._is_near(picture):
                self.sight.leave()
            return
        moved = self._centre(best.pose) - self._centre(self.pose)
        self.velocity = moved if following else np.zeros(2)
        self.pose = best.pose
        if not self.sight.doubts:
            self.trusted = best.pose
        self.correlation = best.likeness.correlation
        self._remember(picture, best.likeness)

    def report(self) -> ObjectState:
        """What the tracker says of the object in the frame of the last step."""
        corners = planes.apply(self._motion(), self.quad - 0.5) + 0.5
        confidence = float(np.clip(self.sight.confidence, 0, 1))
        return ObjectState(
            self.object_id, confidence, self.sight.visibility, corners.astype(np.float32)
        )

    @property
    def drawn_area(self) -> float:
        """px^2, of the object in the frame of the last step."""
        now = planes.area(planes.apply(self._motion(), self.quad - 0.5))
        return now / planes.area(self.quad) * self.pixels

    def draw(self, canvas: np.ndarray, leave_out: bool) -> None:
        """Write the object's mask into ``canvas`` ((H, W) uint8), less the parts in front of it
        where ``leave_out``."""
        if not self.sight.sees:
            return
        corners = planes.apply(self.pose, templates.corners(self.extent))
        size = np.array([canvas.shape[1], canvas.shape[0]])
        low = np.clip(np.floor(corners.min(axis=0)) - 1, 0, size).astype(int)
        high = np.clip(np.ceil(corners.max(axis=0)) + 2, 0, size).astype(int)
        width, height = (int(s) for s in high - low)
        if min(width, height) < 1:
            return
        to_window = planes.translation(-low[0], -low[1])
        from_mask = to_window @ self._motion() @ planes.translation(*self.corner)
        drawn = cv2.warpPerspective(self.mask, from_mask, (width, height)) > 127
        if leave_out:
            seen = cv2.warpPerspective(
                self.correlation,
                to_window @ self.pose @ self._to_plane(self.correlation),
                (width, height),
                borderMode=cv2.BORDER_REPLICATE,
            )
            drawn &= seen > 0.5
        window = canvas[low[1] : high[1], low[0] : high[0]]
        window[drawn] = self.object_id

    def _follow(self, previous: Picture, picture: Picture) -> Guess:
        """The plane where its points went, anchored to the stored view."""
        allowed = self._point_mask()
        starts, ends = points.follow(
            previous,
            picture,
            self.pose,
            self._to_plane(allowed),
            allowed,
            self.velocity,
            planes.apply(self.pose, templates.corners(self.extent)),
        )
        # Points bring the plane so near that only a poor fit is looked for from coarse to fine.
        guesses = []
        fitted = planes.fit(starts, ends, self._largest(self.pose, self._key(self.pose)))
        if fitted is not None:
            moved = planes.unit(fitted[0] @ self.pose)
            guesses.append(self._anchored(picture, moved, near=True))
        if not guesses or guesses[0].score < CONTENT:
            fitted = planes.fit(starts, ends, Motion.SIMILARITY)
            if fitted is not None:
                guesses.append(self._anchored(picture, planes.unit(fitted[0] @ self.pose)))
        if not guesses or max(g.score for g in guesses) < 0.6:
            coasted = planes.translation(*self.velocity) @ self.pose
            guesses.append(self._anchored(picture, coasted))
        steps = [guess for guess in guesses if self._is_step(guess)]
        return max(steps or [self._nowhere(picture)], key=lambda guess: guess.score)

    def _nowhere(self, picture: Picture) -> Guess:
        """The old pose, not believed."""
        likeness = compare(picture, self.pose, self._key(self.pose), self.extent)
        return Guess(self.pose, replace(likeness, score=0.0, visible=0.0))

    def _stay(self, picture: Picture) -> Guess:
        """The plane about where it was last seen, or would be by now, or was found just now."""
        places = [self.pose, self.trusted]
        if self.sight.candidate is not None:
            places.append(self.sight.candidate)
        guesses = [self._anchored(picture, place) for place in places]
        return max(guesses, key=lambda guess: guess.score)

    def _search(self, picture: Picture) -> list[Guess]:
        """The plane anywhere in the picture."""
        key = self._key(self.trusted)
        largest = self._largest(self.trusted, key)
        found = search.by_features(picture, self.keys, self.trusted, self.extent, largest)
        guesses = [self._anchored(picture, place.pose, place.inliers) for place in found[:3]]
        if not guesses or max(g.score for g in guesses) < CONTENT:
            sweep = search.by_sweep(picture, key, self.trusted, self.extent)
            guesses += [self._anchored(picture, place.pose) for place in sweep]
        return [guess for guess in guesses if self._is_return(guess)]

    def _is_return(self, guess: Guess) -> bool:
        """Whether a place far from the last one may be believed: look-alikes are common."""
        likeness = guess.likeness
        alike = likeness.score > 0.62 and likeness.visible > 0.6 and likeness.inside > 0.35
        matched = likeness.score > 0.45 and guess.inliers >= 12
        # Of a thing that was followed until now, another place must show more than a look-alike.
        sure = matched or not self.sight.sees or convinces(likeness)
        return (alike or matched) and sure and search.is_plausible(guess.pose, self.extent)

    def _is_step(self, guess: Guess) -> bool:
        """Whether the plane can have got there, in that shape, within one frame."""
        growth = self._side(guess.pose) / max(self._side(self.pose), 1e-6)
        shaped = search.is_plausible(guess.pose, self.extent, STRETCH)
        return shaped and 1 / GROWTH < growth < GROWTH

    def _anchored(
        self, picture: Picture, pose: np.ndarray, inliers: int = 0, near: bool = False
    ) -> Guess:
        """``pose``, or better what becomes of it by alignment with the nearest stored view, at
        the finest layer alone where it is ``near``."""
        key = self._key(pose)
        largest = self._largest(pose, key)
        start = pose
        if not near:
            start = approach(picture, pose, key, self.extent)
            likeness = compare(picture, start, key, self.extent)
            if likeness.score < HOPELESS:
                return Guess(start, likeness, inliers)
        refined = refine(picture, start, key.layers[0], self.extent, largest)
        best = Guess(refined, compare(picture, refined, key, self.extent), inliers)
        if largest is Motion.AFFINE:
            # A free homography of a small thing must earn its two more parameters.
            free = refine(picture, refined, key.layers[0], self.extent, Motion.HOMOGRAPHY)
            likeness = compare(picture, free, key, self.extent)
            if likeness.score > best.score + 0.02:
                best = Guess(free, likeness, inliers)
        if best.score < CONTENT:
            likeness = compare(picture, pose, key, self.extent)
            if likeness.score > best.score:
                best = Guess(pose, likeness, inliers)
        return best

    def _remember(self, picture: Picture, likeness: Likeness) -> None:
        """Store a view at a new scale, only when it was verified against the ones there are."""
        if len(self.keys) >= KEYS or likeness.inside < 1:
            return
        if likeness.visible < 0.92 or likeness.middle < 0.8:
            return
        side = self._side(self.pose)
        if all(abs(np.log(side / key.side)) > np.log(KEY_SCALE) for key in self.keys):
            self.keys.append(templates.take(picture, self.pose, self.extent, self._surface()))

    def _largest(self, pose: np.ndarray, key: Template) -> Motion:
        """Small things, now or in the stored view, cannot hold a free homography: it skews and
        breathes."""
        side = min(self._side(pose), key.side)
        if side < 28:
            return Motion.SIMILARITY
        return Motion.AFFINE if side < 60 else Motion.HOMOGRAPHY

    def _key(self, pose: np.ndarray) -> Template:
        side = max(self._side(pose), 1e-3)
        return min(self.keys, key=lambda key: abs(np.log(side / key.side)))

    def _side(self, pose: np.ndarray) -> float:
        return float(np.sqrt(planes.area(planes.apply(pose, templates.corners(self.extent)))))

    def _centre(self, pose: np.ndarray) -> np.ndarray:
        return planes.apply(pose, np.zeros((1, 2)))[0]

    def _motion(self) -> np.ndarray:
        """From pixel centres of the first frame to those of the last one seen."""
        return planes.unit(self.pose @ np.linalg.inv(self.first_pose))

    def _is_near(self, picture: Picture) -> bool:
        x, y = self._centre(self.pose)
        return 0 <= x < picture.size[0] and 0 <= y < picture.size[1]

    def _to_plane(self, patch: np.ndarray) -> np.ndarray:
        return templates.pixel_to_plane((patch.shape[1], patch.shape[0]), self.extent)

    def _surface(self) -> np.ndarray:
        """(h, w) uint8 over the plane: 255 on the object and a little around its outline."""
        size = templates.surface_size(self.extent)
        mapping = (
            planes.translation(*-self.corner)
            @ self.first_pose
            @ templates.pixel_to_plane(size, self.extent)
        )
        surface = cv2.warpPerspective(
            self.mask, mapping, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        if self.margin or (surface > 127).mean() > 0.85:
            return np.full_like(surface, 255)
        return cv2.dilate(surface, np.ones((7, 7), np.uint8))

    def _point_mask(self) -> np.ndarray:
        key = self._key(self.pose)
        allowed = np.where(key.inside, 255, 0).astype(np.uint8)
        if self.sight.visible < 0.9:
            height, width = allowed.shape
            seen = cv2.resize(self.correlation, (width, height))
            allowed[seen < 0.5] = 0
        return allowed

    def state(self) -> dict[str, np.ndarray]:
        """Everything, as arrays; ``restore`` makes the same object of it."""
        kept = {
            "mask": self.mask,
            "corner": self.corner,
            "quad": self.quad,
            "margin": np.float64(self.margin),
            "pose": self.pose,
            "trusted": self.trusted,
            "velocity": self.velocity,
            "correlation": self.correlation,
        }
        kept |= {f"sight.{name}": value for name, value in self.sight.state().items()}
        for number, key in enumerate(self.keys):
            parts = {
                "inside": key.inside,
                "side": np.float64(key.side),
                "points": key.features.points,
                "descriptors": key.features.descriptors,
            }
            parts |= {f"image{i}": image for i, image in enumerate(key.images)}
            kept |= {f"key{number}.{name}": value for name, value in parts.items()}
        return {name: np.array(value) for name, value in kept.items()}

    @classmethod
    def restore(cls, object_id: int, state: dict[str, np.ndarray]) -> Plane:
        """The object that ``state`` was made of."""
        plane = cls(
            object_id, state["mask"], state["corner"], state["quad"], float(state["margin"])
        )
        plane.pose, plane.trusted = state["pose"], state["trusted"]
        plane.velocity, plane.correlation = state["velocity"], state["correlation"]
        plane.sight = Sight.restore(below(state, "sight."))
        for number in range(KEYS):
            parts = below(state, f"key{number}.")
            if not parts:
                break
            images = [parts[f"image{i}"] for i in range(3) if f"image{i}" in parts]
            features = Features(parts["points"], parts["descriptors"])
            plane.keys.append(
                templates.build(
                    images, parts["inside"], float(parts["side"]), features, plane.extent
                )
            )
        return plane


def below(state: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The entries of ``state`` whose names begin with ``prefix``, named without it."""
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
