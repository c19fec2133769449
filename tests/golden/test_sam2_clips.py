"""SAM 2.1 follows objects through clips as the authors' predictor does."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

from cleanplate.engines import sam2 as pictures
from cleanplate.engines.track.sam2.memory import Limits, Looked
from cleanplate.engines.track.sam2.video import Rules, Video
from cleanplate.networks.sam2.sam2 import Features, prepared
from cleanplate.protocols import Runtime
from tests.golden.conftest import Case
from tests.golden.sam2 import SLOW, Loaded, check, loaded_for

__all__ = ["SLOW"]


class Watched(Video):
    """A video that notes what every look back looks at."""

    notes: list[tuple[Any, Any]]

    def _in_the_light(self, seen: Features, looked: Looked) -> torch.Tensor:
        rows = [[t, row] for t, _, row in looked.memories]
        self.notes.append((rows or "none", [distance for distance, _ in looked.pointers]))
        return super()._in_the_light(seen, looked)


class Predictor:
    """The authors' calls, in terms of ours."""

    def __init__(self, case: Case, loaded: Loaded) -> None:
        text = " ".join((case["inputs"], case["call"]))
        self.case, self.loaded, self.inputs = case, loaded, case.inputs
        self.side = int((re.findall(r"image_size=(\d+)", text) or ["1024"])[0])
        self.frames = self._count(text)
        plain = "apply_postprocessing=False" in text
        most, stride = (
            (re.findall(rf"{name}=(\d+)", text) or [None])[0]
            for name in ("max_cond_frames_in_attn", "memory_temporal_stride_for_eval")
        )
        limits = Limits(
            None if most is None else int(most), int(stride or 1), self.frames, forget=False
        )
        confirms = "add_all_frames_to_correct_as_cond=true" in text
        self.video = Watched(
            *(loaded.network, self.side, Runtime()),
            Rules(limits, stable=not plain, corrections_confirm=confirms),
        )
        self.video.notes = []
        self.apart = "non_overlap_masks=true" in text
        (self.script,) = re.findall(r"\bSCRIPT\w*", case["inputs"])
        self.prompted: dict[int, set[int]] = {}

    def _count(self, text: str) -> int:
        """How many frames the clip has; where a case does not say it, another of its set does."""
        if "LONG frames" in text:
            return self.inputs.LONG
        texts = [text, *(c["inputs"] for c in self.case.golden.listed.values())]
        found = (re.findall(r"frame\(0\.\.(\d+)\)", one) for one in texts)
        return next(int(numbers[0]) + 1 for numbers in found if numbers)

    @property
    def size(self) -> tuple[int, int]:
        return self.inputs.VIDEO_HEIGHT, self.inputs.VIDEO_WIDTH

    def pixels(self, frame: int) -> torch.Tensor:
        return pictures.frame_pixels(self.inputs.frame(frame), self.side)

    def seen(self, frame: int) -> Features:
        key = self.side, frame
        if key not in self.loaded.seen:
            features = pictures.features_of(self.loaded.network, self.pixels(frame), Runtime())
            self.loaded.seen[key] = features
        return self.loaded.seen[key]

    def shown(self, outputs: list[Any]) -> np.ndarray:
        """(objects, H, W) logits at the size of the clip, as they are given out."""
        logits = self.video.logits(outputs, self.size)
        if self.apart and len(logits) > 1:
            first = logits.argmax(dim=0)[None] == torch.arange(len(logits))[:, None, None]
            logits = torch.where(first, logits, logits.clamp(max=-10))
        return logits.numpy()

    def current(self, frame: int, drafts: bool) -> list[Any]:
        return [self.video.output(frame, one, drafts) for one in self.video.objects]

    def drafted(self, frame: int) -> bool:
        """Whether ``frame`` has a prompt that is to be confirmed."""
        return any(
            frame in one.drafts and one.drafts[frame][1] for one in self.video.objects.values()
        )

    # --- the calls ---

    def run(self) -> None:
        check(self.case, "input_frame0", prepared(self.pixels(0))[0])
        for number, (name, arguments) in enumerate(getattr(self.inputs, self.script)):
            self.op = f"op{number}"
            getattr(self, name)(**arguments)
            check(self.case, f"{self.op}/stored", self.stored())

    def points(
        self,
        frame_idx: int,
        obj_id: int,
        points: Any = (),
        labels: Any = (),
        box: Any = None,
        clear_old_points: bool = True,
    ) -> None:
        places, kinds = np.array(points, np.float64).reshape(-1, 2), np.array(labels, np.int64)
        if box is not None:
            places = np.concatenate([np.array(box, np.float64).reshape(2, 2), places])
            kinds = np.concatenate([[2, 3], kinds])
        places = places / np.array(self.size[::-1])
        output = self.video.point(
            frame_idx, self.seen(frame_idx), obj_id, places, kinds, not clear_old_points
        )
        self._prompted(frame_idx, obj_id, output)

    def mask(self, frame_idx: int, obj_id: int, mask: int) -> None:
        given = self.inputs.shape(frame_idx, mask) if mask else np.zeros(self.size, bool)
        output = self.video.outline(frame_idx, self.seen(frame_idx), obj_id, given)
        self._prompted(frame_idx, obj_id, output)

    def _prompted(self, frame: int, object_id: int, output: Any) -> None:
        self.prompted.setdefault(object_id, set()).add(frame)
        confirms = self.video.objects[object_id].drafts[frame][1]
        logits = self.shown(self.current(frame, confirms))
        check(self.case, f"{self.op}/video_logits", logits)
        check(self.case, f"{self.op}/label_map", labels_of(logits))
        check(self.case, f"{self.op}/low_logits", output.low)
        check(self.case, f"{self.op}/score", np.array([output.presence], np.float32))
        check(self.case, f"{self.op}/pointer", output.pointer)

    def propagate(
        self,
        start_frame_idx: int | None = None,
        max_frame_num_to_track: int | None = None,
        reverse: bool = False,
    ) -> None:
        self.video.commit()
        if start_frame_idx is None:
            objects = self.video.objects.values()
            start_frame_idx = min(t for one in objects for t in one.memory.confirmed)
        most = self.frames if max_frame_num_to_track is None else max_frame_num_to_track
        if reverse:
            last = max(start_frame_idx - most, 0)
            frames = range(start_frame_idx, last - 1, -1) if start_frame_idx else range(0)
        else:
            frames = range(start_frame_idx, min(start_frame_idx + most, self.frames - 1) + 1)
        kept, maps, scores = self.case["kept"][self.op], [], []
        for frame in kept:  # the frames that the authors' run was followed through
            found = self.video.follow(frame, self.seen(frame), reverse)
            logits = self.shown(list(found.values()))
            maps.append(labels_of(logits))
            scores.append([one.presence for one in found.values()])
            check(self.case, f"{self.op}/video_logits_t{frame}", logits)
            for object_id, one in found.items():
                place = f"t{frame}_o{object_id}"
                check(self.case, f"{self.op}/low_logits_{place}", one.low)
                check(self.case, f"{self.op}/pointer_{place}", one.pointer)
                check(self.case, f"{self.op}/memory_{place}", one.memory.float())
        check(self.case, f"{self.op}/label_maps", np.stack(maps))
        check(self.case, f"{self.op}/scores", np.array(scores, np.float32))
        check(self.case, f"{self.op}/frames", np.array(list(frames)[: len(kept)]))

    def clear_prompts(self, frame_idx: int, obj_id: int) -> None:
        self.video.clear(frame_idx, obj_id)
        self.prompted.get(obj_id, set()).discard(frame_idx)
        logits = self.shown(self.current(frame_idx, self.drafted(frame_idx)))
        check(self.case, f"{self.op}/video_logits", logits)
        check(self.case, f"{self.op}/label_map", labels_of(logits))

    def remove(self, obj_id: int) -> None:
        self.video.remove(obj_id)
        check(self.case, f"{self.op}/ids", np.array(list(self.video.objects)))
        for frame in sorted(self.prompted.pop(obj_id, set())):
            logits = self.shown(self.current(frame, self.drafted(frame)))
            check(self.case, f"{self.op}/label_map_t{frame}", labels_of(logits))
            check(self.case, f"{self.op}/video_logits_t{frame}", logits)

    def stored(self) -> np.ndarray:
        """(n, 3): object, frame, whether it is confirmed, of all that is remembered."""
        rows = [
            (object_id, frame, confirmed)
            for object_id, one in self.video.objects.items()
            for confirmed, table in ((1, one.memory.confirmed), (0, one.memory.followed))
            for frame in sorted(table)
        ]
        return np.array(rows, np.int32).reshape(-1, 3)


def labels_of(logits: np.ndarray) -> np.ndarray:
    """(H, W): 0, or 1 + the index of the object with the largest logit above 0."""
    return np.where(logits.max(0) > 0, 1 + logits.argmax(0), 0).astype(np.uint8)


def trace_of(case: Case) -> list[dict[str, Any]]:
    """What the authors' code looked at, look by look."""
    trace = case["trace"]
    if isinstance(trace, str):  # "the same as CASE"
        return case.golden.listed[trace.split()[-1]]["trace"]
    return trace


@pytest.mark.timeout(1800)  # at 1024, minutes on one thread
@pytest.mark.compares("sam2", "clip")
def test_clips_are_followed_in_the_same_way(
    case: Case, built: dict[Any, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    predictor = Predictor(case, loaded_for(case, built, tmp_path_factory.mktemp("weights")))
    predictor.run()
    wanted = [
        (
            one["memory"]
            if one["memory"] == "none"
            else [[frame, row] for frame, _, row in one["memory"]],
            one.get("pointer_distances", []),
        )
        for one in trace_of(case)
    ]
    assert predictor.video.notes == wanted
