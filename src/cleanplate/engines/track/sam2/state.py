"""SAM 2's memory of a clip as plain arrays, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cleanplate.engines.track.sam2.memory import Output

if TYPE_CHECKING:
    from cleanplate.engines.track.sam2.cautious import Caution
    from cleanplate.engines.track.sam2.engine import Sam2Tracking

Arrays = dict[str, np.ndarray]


def written(tracking: Sam2Tracking) -> Arrays:
    """All that ``restore`` needs."""
    objects = tracking.video.objects
    arrays = {
        "size": np.array(tracking.size),
        "index": np.array(tracking.index),
        "ids": np.array(list(objects), np.int64),
        "hidden": np.array([tracking.hidden[object_id] for object_id in objects], np.int64),
    }
    for object_id, tracked in objects.items():
        arrays |= _outputs(f"{object_id}/confirmed", tracked.memory.confirmed)
        arrays |= _outputs(f"{object_id}/followed", tracked.memory.followed)
        arrays[f"{object_id}/passed"] = np.array(list(tracked.passed.items()), np.int64).reshape(
            -1, 2
        )
        if tracked.caution is not None:
            arrays |= _caution(f"{object_id}/caution", tracked.caution)
    return arrays


def restore(tracking: Sam2Tracking, arrays: Arrays, device: str) -> None:
    """Take up what ``written`` returned."""
    tracking.index = int(arrays["index"])
    for object_id, hidden in zip(arrays["ids"].tolist(), arrays["hidden"].tolist(), strict=True):
        tracking.hidden[object_id] = hidden
        tracked = tracking.video.known(object_id)
        tracked.memory.confirmed = _read(f"{object_id}/confirmed", arrays, device)
        tracked.memory.followed = _read(f"{object_id}/followed", arrays, device)
        tracked.passed = {t: bool(way) for t, way in arrays[f"{object_id}/passed"].tolist()}
        if tracked.caution is not None:
            _restore_caution(f"{object_id}/caution", tracked.caution, arrays, device)


def _outputs(name: str, outputs: dict[int, Output]) -> Arrays:
    import torch

    arrays: Arrays = {
        f"{name}/frames": np.array(list(outputs), np.int64),
        f"{name}/numbers": np.array(
            [(output.quality, output.presence, output.trusted) for output in outputs.values()]
        ).reshape(-1, 3),
    }
    if outputs:
        kept: list[Output] = list(outputs.values())
        arrays[f"{name}/low"] = torch.stack([output.low for output in kept]).cpu().numpy()
        arrays[f"{name}/pointers"] = torch.stack([output.pointer for output in kept]).cpu().numpy()
        # numpy has no bfloat16: the same bits as whole numbers.
        memory = torch.stack([output.memory for output in kept]).view(torch.int16)
        arrays[f"{name}/memory"] = memory.cpu().numpy()
    return arrays


def _read(name: str, arrays: Arrays, device: str) -> dict[int, Output]:
    import torch

    frames = arrays[f"{name}/frames"].tolist()
    if not frames:
        return {}
    low, pointers, memory = (
        torch.from_numpy(arrays[f"{name}/{part}"]).to(device)
        for part in ("low", "pointers", "memory")
    )
    memory = memory.view(torch.bfloat16)
    return {
        frame: Output(low[n], quality, presence, pointers[n], memory[n], bool(trusted))
        for n, (frame, (quality, presence, trusted)) in enumerate(
            zip(frames, arrays[f"{name}/numbers"].tolist(), strict=True)
        )
    }


def _caution(name: str, caution: Caution) -> Arrays:
    motion = caution.motion
    return _outputs(f"{name}/anchors", caution.anchors) | {
        f"{name}/areas": np.array(caution.areas),
        f"{name}/counts": np.array([caution.settled, caution.since, motion.begun], np.int64),
        f"{name}/mean": motion.mean.copy(),
        f"{name}/spread": motion.spread.copy(),
    }


def _restore_caution(name: str, caution: Caution, arrays: Arrays, device: str) -> None:
    motion: Any = caution.motion
    caution.anchors = _read(f"{name}/anchors", arrays, device)
    caution.areas = arrays[f"{name}/areas"].tolist()
    caution.settled, caution.since, begun = arrays[f"{name}/counts"].tolist()
    motion.begun = bool(begun)
    motion.mean, motion.spread = arrays[f"{name}/mean"], arrays[f"{name}/spread"]
