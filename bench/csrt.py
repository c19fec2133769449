"""OpenCV's CSRT on frames in a file: the baseline that bench/track.py compares planar with.

    PYTHON bench/csrt.py FRAMES.npy X0,Y0,X1,Y1

PYTHON is one that has opencv-contrib-python-headless (CSRT is not in OpenCV without contrib);
numpy and that are all it needs. Prints JSON: the milliseconds of each frame and the boxes.
"""

from __future__ import annotations

import json
import sys
import time

import cv2
import numpy as np


def main() -> None:
    cv2.setNumThreads(1)
    frames = np.load(sys.argv[1], mmap_mode="r")
    x0, y0, x1, y1 = (int(number) for number in sys.argv[2].split(","))
    tracker = cv2.TrackerCSRT_create()  # pyright: ignore[reportAttributeAccessIssue]
    tracker.init(np.ascontiguousarray(frames[0][..., ::-1]), (x0, y0, x1 - x0, y1 - y0))
    times, boxes = [], []
    for frame in frames[1:]:
        image = np.ascontiguousarray(frame[..., ::-1])
        start = time.process_time()
        _, (x, y, width, height) = tracker.update(image)
        times.append(1000 * (time.process_time() - start))
        boxes.append([x, y, x + width, y + height])
    print(json.dumps({"version": cv2.__version__, "times": times, "boxes": boxes}))


if __name__ == "__main__":
    main()
