"""A clip run through SAM 2: objects that are prompted, confirmed and followed, a frame at a time.

Ravi et al., "SAM 2", 2024, section 4 and the published procedure: each object by itself, all over
one look at the frame. Frames may be prompted and followed in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.engines.precision import computing
from cleanplate.engines.sam2 import resized
from cleanplate.engines.track.sam2.cautious import Caution
from cleanplate.engines.track.sam2.memory import POINTERS, Limits, Looked, Output, Remembered

if TYPE_CHECKING:
    from torch import Tensor

    from cleanplate.networks.sam2.sam2 import Answer, Features, Sam2
    from cleanplate.protocols import Runtime


@dataclass(frozen=True, slots=True)
class Rules:
    """Which procedure; the defaults are the published one."""

    limits: Limits = field(default_factory=Limits)
    stable: bool = True
    """An unstable single mask gives way to the best of three, and masks from prompts are
    remembered as wholly in or out."""
    corrections_confirm: bool = False
    """Prompts in a frame already followed are confirmed too."""
    cautious: bool = False


@dataclass(slots=True)
class Tracked:
    """One object."""

    memory: Remembered
    drafts: dict[int, tuple[Output, bool]] = field(default_factory=dict)
    """Outputs of prompts by frame, and whether they are to be confirmed."""
    points: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    """Prompts by frame: (N, 2) in 0..1 of the picture, (N,) labels."""
    passed: dict[int, bool] = field(default_factory=dict)
    """Frames gone through, and whether backward."""
    caution: Caution | None = None


class Video:
    """The objects of one clip."""

    def __init__(self, network: Sam2, side: int, runtime: Runtime, rules: Rules) -> None:
        self.network, self.side, self.runtime, self.rules = network, side, runtime, rules
        self.objects: dict[int, Tracked] = {}

    # --- prompts ---

    def point(
        self,
        frame: int,
        seen: Features,
        object_id: int,
        points: np.ndarray,
        labels: np.ndarray,
        add: bool = False,
    ) -> Output:
        """Point at an object in ``frame``.

        Args:
            frame: its number.
            seen: its features.
            object_id: a new object's or a known one's.
            points: (N, 2) in 0..1 of the picture's sides, x first; corners of a box come first.
            labels: (N,): 0 background, 1 object, 2 and 3 the corners of a box.
            add: to the points given in this frame before, in place of replacing them.
        """
        import torch

        tracked = self.known(object_id)
        if add and frame in tracked.points:
            old = tracked.points[frame]
            points, labels = np.concatenate([old[0], points]), np.concatenate([old[1], labels])
        tracked.points[frame] = points, labels
        new, backward = frame not in tracked.passed, tracked.passed.get(frame, False)
        before = self.output(frame, object_id, drafts=new or self.rules.corrections_confirm)
        with computing(self.runtime):
            looked = Looked() if new else tracked.memory.seen_from(frame, backward)
            base = self._in_the_light(seen, looked)
            device = base.device
            answer = self.network.answer(
                base,
                seen,
                torch.tensor(points * self.side + 0.5, dtype=torch.float32, device=device)[None]
                / self.side,
                torch.tensor(labels, device=device)[None],
                None if before is None else before.low.clamp(-32, 32)[None, None],
                dynamic=self.rules.stable,
            )
        return self._draft(frame, seen, tracked, answer)

    def outline(self, frame: int, seen: Features, object_id: int, mask: np.ndarray) -> Output:
        """Take ``mask`` ((H, W) bool) as the object in ``frame``."""
        import torch

        tracked = self.known(object_id)
        tracked.points.pop(frame, None)
        given = torch.from_numpy(mask.astype(np.float32)).to(self.runtime.device)[None, None]
        if mask.shape != (self.side, self.side):
            given = (resized(given, (self.side, self.side), antialias=True) >= 0.5).float()
        with computing(self.runtime):
            answer = self.network.given(seen, given)
        return self._draft(frame, seen, tracked, answer)

    def commit(self) -> None:
        """From now on prompts are remembered."""
        for tracked in self.objects.values():
            for confirms in (False, True):
                for frame, (output, confirmed) in tracked.drafts.items():
                    if confirmed is not confirms:
                        continue
                    if confirmed:
                        tracked.memory.confirm(frame, output)
                    else:
                        tracked.memory.followed[frame] = output
                    if tracked.caution is not None:
                        tracked.caution.told(output.low.cpu().numpy() > 0)
            tracked.drafts.clear()
            for frame in tracked.memory.confirmed:
                tracked.memory.followed.pop(frame, None)

    def clear(self, frame: int, object_id: int) -> None:
        """Take back the prompts of an object in ``frame``; what was found stays as followed."""
        tracked = self.objects[object_id]
        tracked.points.pop(frame, None)
        tracked.drafts.pop(frame, None)
        output = tracked.memory.confirmed.pop(frame, None)
        if output is not None:
            tracked.memory.followed[frame] = output
            tracked.passed.pop(frame, None)

    def remove(self, object_id: int) -> None:
        """Follow an object no longer."""
        del self.objects[object_id]

    # --- following ---

    def follow(self, frame: int, seen: Features, backward: bool = False) -> dict[int, Output]:
        """Each object in ``frame``, of which it remembers at least one confirmed frame."""
        outputs: dict[int, Output] = {}
        for object_id, tracked in self.objects.items():
            output = tracked.memory.confirmed.get(frame)
            if output is None:
                output = self._followed(frame, seen, tracked, backward)
                tracked.memory.follow(frame, output)
            tracked.passed[frame] = backward
            if self.rules.limits.forget:
                reach = self.rules.limits.reach
                tracked.passed = {
                    t: way for t, way in tracked.passed.items() if abs(frame - t) <= reach
                }
                tracked.points.clear()
            outputs[object_id] = output
        return outputs

    def output(self, frame: int, object_id: int, drafts: bool = True) -> Output | None:
        """What is known of an object in ``frame``; ``drafts``: of those to be confirmed or not."""
        tracked = self.objects[object_id]
        draft = tracked.drafts.get(frame)
        if draft is not None and draft[1] is drafts:
            return draft[0]
        return tracked.memory.output(frame)

    def logits(self, outputs: Sequence[Output | None], size: tuple[int, int]) -> Tensor:
        """(n, H, W) at the size of the picture; -1024 where nothing is known."""
        import torch

        side = self.side // 4
        nowhere = torch.full((side, side), -1024.0, device=self.runtime.device)
        low = torch.stack([nowhere if output is None else output.low for output in outputs])
        return resized(low[None], size)[0]

    # --- one object in one frame ---

    def known(self, object_id: int) -> Tracked:
        """What is known of an object, a new one maybe."""
        if object_id not in self.objects:
            caution = Caution() if self.rules.cautious else None
            self.objects[object_id] = Tracked(Remembered(self.rules.limits), caution=caution)
        return self.objects[object_id]

    def _draft(self, frame: int, seen: Features, tracked: Tracked, answer: Answer) -> Output:
        output = self._output(seen, answer, sure=self.rules.stable)
        confirms = frame not in tracked.passed or self.rules.corrections_confirm
        tracked.drafts[frame] = output, confirms
        return output

    def _followed(self, frame: int, seen: Features, tracked: Tracked, backward: bool) -> Output:
        looked = tracked.memory.seen_from(frame, backward)
        caution = tracked.caution
        if caution is not None:
            looked = caution.looked_at(tracked.memory, frame, backward, looked)
        with computing(self.runtime):
            answer = self.network.answer(self._in_the_light(seen, looked), seen)
            if caution is None:
                return self._output(seen, answer)
            candidates = (answer.candidates[0] > 0).cpu().numpy()
            verdict = caution.judge(
                candidates, answer.qualities[0].float().cpu().numpy(), float(answer.presence[0])
            )
            output = self._output(
                seen, self._chosen(answer, verdict.index), trusted=verdict.trusted
            )
        if verdict.anchor:
            caution.anchor(frame, output)
        return output

    def _chosen(self, answer: Answer, index: int) -> Answer:
        """``answer`` with candidate ``index`` taken."""
        import torch

        from cleanplate.networks.sam2.decoder import Decoded

        decoded = Decoded(
            answer.candidates, answer.qualities, answer.tokens, answer.presence[:, None]
        )
        return self.network.taken(decoded, torch.tensor([index], device=answer.low.device))

    def _in_the_light(self, seen: Features, looked: Looked) -> Tensor:
        """The features of a frame that has looked at what is remembered."""
        import torch

        if not looked.memories:
            return self.network.alone(seen)
        most = min(self.rules.limits.frames, POINTERS) - 1
        pointers = [output.pointer for _, output in looked.pointers]
        return self.network.look_back(
            seen,
            [output.memory[None] for _, output, _ in looked.memories],
            [row for _, _, row in looked.memories],
            torch.stack(pointers)[None] if pointers else seen.level.new_zeros(1, 0, 256),
            [distance / most for distance, _ in looked.pointers],
        ).float()

    def _output(
        self, seen: Features, answer: Answer, sure: bool = False, trusted: bool = True
    ) -> Output:
        """What is kept of an answer."""
        import torch

        low = answer.low.float()
        with computing(self.runtime):
            full = resized(low[None], (self.side, self.side))
            memory = self.network.remember(seen, full, answer.presence, sure)
        return Output(
            low[0],
            float(answer.quality[0]),
            float(answer.presence[0]),
            answer.pointer[0].float(),
            memory[0].to(torch.bfloat16),
            trusted,
        )
