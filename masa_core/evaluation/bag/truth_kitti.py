"""KITTI's tracking labels as the truth of a drive."""

from __future__ import annotations

from pathlib import Path

from masa_core.evaluation.formats_kitti import read_kitti_labels
from masa_core.evaluation.formats_scalabel import FrameLabels

KITTI_HZ = 10.0
# The classes of BDD100K that KITTI's types are scored as. Its cyclists are labelled with their
# bicycle; what is Misc is a vehicle that neither data set wants to be found.
_CATEGORIES = {
    "car": "car",
    "van": "car",
    "truck": "truck",
    "pedestrian": "pedestrian",
    "person": "pedestrian",
    "cyclist": "rider",
    "tram": "train",
    "misc": "other vehicle",
    "dontcare": "car",
}


def read_kitti_truth(path: Path) -> list[FrameLabels]:
    """The labels of each frame up to the last that has some, those without labels as well.

    A DontCare is a crowd: tracks in it are neither right nor wrong. Raises FormatError.
    """
    rows = read_kitti_labels(path)
    length = max((int(float(row[0])) for row in rows), default=-1) + 1
    frames = [FrameLabels(str(number), number) for number in range(length)]
    for row in rows:
        frame = frames[int(float(row[0]))]
        is_region = row[2] == "dontcare"
        boxes: list[list[float]] = frame.shapes  # type: ignore[assignment]
        boxes.append([float(edge) for edge in row[6:10]])
        frame.ids.append(f"region {len(boxes)}" if is_region else row[1])
        frame.categories.append(_CATEGORIES[row[2]])
        frame.crowd.append(is_region)
        frame.ignored.append(False)
    return frames
