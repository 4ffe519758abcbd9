"""A topic that stays silent, images that are all lost: when to speak of it, and what to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

PATIENCE_S = 5.0

# By cause; of others, an image that is lost is spoken of itself.
_REMEDIES = {
    "has no stamp": "the camera driver must set header.stamp",
    "out of order": "header.stamp must rise from image to image",
    "no detections came": "detections must have exactly the stamp of their image, and come before"
    " join_size newer images",
    "came after its detections were given up": "detections came before their image, by more than"
    " join_size images",
    "replaced by newer": "the model takes too long for an image",
}


class SilenceWatch:
    """Notices that nothing arrives, once for each silence. Starts when it is made."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_s = clock()
        self._told = False

    @property
    def silent_s(self) -> float:
        """Since the last message, or the start."""
        return self._clock() - self._last_s

    def heard(self) -> None:
        self._last_s = self._clock()
        self._told = False

    def due(self) -> bool:
        """Whether it is time to speak of a silence that was not spoken of before."""
        if self._told or self.silent_s < PATIENCE_S:
            return False
        self._told = True
        return True


@dataclass(frozen=True)
class Publisher:
    """A publisher found in the graph."""

    node: str
    type: str  # as in "sensor_msgs/msg/Image"
    best_effort: bool


def explain_silence(
    topic: str,
    kind: str,
    reliable: bool,
    parameter: str,
    publishers: Sequence[Publisher],
    others: Sequence[tuple[str, str]],
) -> str:
    """One sentence on why nothing may have come.

    kind: the type that is subscribed to. reliable: whether with reliable QoS. parameter: the
    one that says so. publishers: those of this topic. others: names and types of the topics of
    the graph that might be meant.
    """
    begin = f"nothing has come on {topic} ({kind}) for {PATIENCE_S:.0f} s: "
    for publisher in publishers:
        if publisher.type != kind:
            return begin + f"{publisher.node} publishes {publisher.type} there"
        if reliable and publisher.best_effort:
            return begin + (
                f"{publisher.node} publishes best effort, which a reliable subscription cannot"
                f" receive; set parameter {parameter} to best_effort"
            )
    if publishers:
        return begin + f"{publishers[0].node} is there, but has sent nothing that arrived"
    if others:
        found = ", ".join(f"{name} ({type_})" for name, type_ in others)
        return begin + f"nobody publishes there; remap it to one of these topics: {found}"
    return begin + "nobody publishes there, and there is no topic of such a type"


def explain_losses(topic: str, lost: Mapping[str, int]) -> str:
    """One sentence on images that come, none of which is tracked. lost: how many, by cause."""
    causes = [
        f"{count} {cause}" + (f" ({_REMEDIES[cause]})" if cause in _REMEDIES else "")
        for cause, count in sorted(lost.items())
    ]
    begin = f"images come on {topic}, but for {PATIENCE_S:.0f} s none was tracked: "
    return begin + "; ".join(causes)
