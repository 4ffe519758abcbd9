"""How large a TrackArray is and how long it takes: `python3 -m masa_ros.bench_messages`.

Tracks with elliptic masks of 40 to 200 px, at random places of a 1280x720 image, are filled into
a message and published to one subscriber. Prints a table of medians.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from rclpy.serialization import serialize_message
from std_msgs.msg import Header

from masa_core.io.class_names import ClassNames
from masa_core.masks import encode_mask
from masa_core.structures import Mask, Tracks
from masa_ros.conversions import track_array
from masa_ros.msg import TrackArray

_WIDTH, _HEIGHT = 1280, 720
_EMBEDDING = 256


def make_tracks(count: int, rng: np.random.Generator) -> Tracks:
    sizes = rng.integers(40, 201, (count, 2))
    corners = rng.integers(0, (_WIDTH, _HEIGHT) - sizes)
    stamps = np.full(count, 1_700_000_000_123_456_789)
    return Tracks(
        ids=np.arange(count),
        boxes=np.concatenate((corners, corners + sizes), axis=1),
        scores=rng.random(count, np.float32),
        labels=rng.integers(0, 80, count),
        states=np.ones(count, np.uint8),
        masks=[_ellipse(*corner, *size) for corner, size in zip(corners, sizes, strict=True)],
        ages=np.arange(count),
        first_seen_ns=stamps,
        last_seen_ns=stamps,
        velocities=rng.normal(size=(count, 2)).astype(np.float32),
        embeddings=rng.normal(size=(count, _EMBEDDING)).astype(np.float32),
    )


def _ellipse(x: int, y: int, width: int, height: int) -> Mask:
    rows, columns = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return encode_mask(rows**2 + columns**2 <= 1, int(x), int(y))


def _median_ms(work: Callable[[], Any], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return float(np.median(times)) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    rclpy.init()
    node = rclpy.create_node("bench_messages")
    publisher = node.create_publisher(TrackArray, "bench_messages", 1)
    node.create_subscription(TrackArray, "bench_messages", lambda message: None, 1)
    names = ClassNames([f"class {number}" for number in range(80)])
    print("tracks  embeddings  size (kB)  fill (ms)  publish (ms)  both (ms)")
    for count in (10, 100, 300):
        tracks = make_tracks(count, np.random.default_rng(args.seed))
        for embeddings in (False, True):

            def fill(tracks: Tracks = tracks, embeddings: bool = embeddings) -> TrackArray:
                return track_array(tracks, Header(), 0, "bench", names, embeddings)

            message = fill()
            size_kb = len(serialize_message(message)) / 1e3
            fill_ms = _median_ms(fill, args.repeats)
            publish_ms = _median_ms(lambda m=message: publisher.publish(m), args.repeats)
            shown = f"{_EMBEDDING} values" if embeddings else "none"
            print(
                f"{count:6}  {shown:>10}  {size_kb:9.1f}  {fill_ms:9.2f}  {publish_ms:12.2f}"
                f"  {fill_ms + publish_ms:9.2f}"
            )
    rclpy.shutdown()


if __name__ == "__main__":
    main()
