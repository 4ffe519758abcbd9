"""What tests of the node are built of: a node process, and a robot's other end of its topics."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from masa_ros.image_messages import image_message
from masa_ros.msg import TrackArray

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0  # of a test, on a machine that may be busy
SECOND = 1_000_000_000
TRANSITIONS = {"configure": 1, "cleanup": 2, "activate": 3, "deactivate": 4}


def picture(
    objects: dict[int, tuple[int, int, int, int]], width: int = 64, height: int = 48
) -> Any:
    """(height, width, 3) uint8; objects: blue value -> x1 y1 x2 y2."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for value, (x1, y1, x2, y2) in objects.items():
        pixels[y1:y2, x1:x2, 0] = value
    return pixels


def image(stamp_ns: int, pixels: Any = None, encoding: str = "bgr8") -> Image:
    """Two objects, unless pixels are given."""
    if pixels is None:
        pixels = picture({1: (4, 4, 20, 16), 2: (30, 20, 50, 40)})
    return image_message(pixels, encoding, header(stamp_ns))


def header(stamp_ns: int) -> Header:
    made = Header(frame_id="camera")
    made.stamp.sec, made.stamp.nanosec = divmod(stamp_ns, SECOND)
    return made


def stamp_ns(message: Any) -> int:
    return message.header.stamp.sec * SECOND + message.header.stamp.nanosec


class Tracker:
    """A tracker node in a process of its own, with the fake model.

    The preset is masa_tao unless another is named: its answers to simple scenes are simple.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any],
        arguments: list[str],
        environment: Mapping[str, str],
    ) -> None:
        command = [sys.executable, str(ROOT / "test/ros/fake_tracker.py"), "--ros-args"]
        for name, value in {"tracker.preset": "masa_tao", **parameters}.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            command += ["-p", f"{name}:={text}"]
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 closed with the process
        self.process = subprocess.Popen(
            command + arguments,
            env={**os.environ, "PYTHONPATH": path, **environment},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    @property
    def log(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def wait(self) -> int:
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        """Asked to end, as a killed one leaves 64 MB of shared memory behind."""
        try:
            self.interrupt()
            self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
            self.process.wait()
            self._log.close()


class Robot:
    """The other end: publishes images, records what the node says, calls its services.

    domain: of DDS.
    """

    def __init__(self, domain: int) -> None:
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = rclpy.create_node("robot", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()
        self._clients: dict[str, Any] = {}
        self.tracker: Tracker | None = None  # which must live while something is waited for
        self.tracks = self.record(TrackArray, "masa/tracks")
        self.diagnostics = self.record(DiagnosticArray, "/diagnostics")

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()

    def close(self) -> None:
        rclpy.shutdown(context=self._context)
        self._thread.join()

    def publisher(self, kind: Any, topic: str, best_effort: bool = False) -> Any:
        policy = ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE
        return self.node.create_publisher(kind, topic, QoSProfile(depth=100, reliability=policy))

    def record(self, kind: Any, topic: str) -> list[Any]:
        """A list that grows with the messages on a topic."""
        messages: list[Any] = []
        self.node.create_subscription(kind, topic, messages.append, 100)
        return messages

    def camera(self, kind: Any = Image, topic: str = "image") -> Any:
        """A publisher of images that has found the node."""
        publisher = self.publisher(kind, topic)
        self.wait(lambda: publisher.get_subscription_count() > 0, f"a subscription to {topic}")
        return publisher

    def wait(self, until: Callable[[], Any], what: str) -> Any:
        """What `until` gives as soon as it is true."""
        end = time.monotonic() + PATIENCE_S
        while not (result := until()):
            assert self.tracker is None or self.tracker.process.poll() is None, self.tracker.log
            log = self.tracker.log if self.tracker else ""
            assert time.monotonic() < end, f"waited {PATIENCE_S:.0f} s for {what}; {log}"
            time.sleep(0.01)
        return result

    def call(self, kind: Any, service: str, request: Any, again_s: float = PATIENCE_S) -> Any:
        """The answer. again_s: after which to ask again, where that does no harm.

        An answer is lost where the node has not found the client yet, though it has found the node;
        so a new one waits a little, and is kept.
        """
        is_new = service not in self._clients
        if is_new:
            self._clients[service] = self.node.create_client(kind, service)
        client = self._clients[service]
        self.wait(client.service_is_ready, f"service {service}")
        if is_new:
            time.sleep(0.3)
        asked: list[Any] = []

        def answer() -> Any:
            if time.monotonic() >= began + len(asked) * again_s:
                asked.append(client.call_async(request))
            return next((future for future in asked if future.done()), None)

        began = time.monotonic()
        return self.wait(answer, f"an answer of {service}").result()

    def set_parameter(self, name: str, value: Any) -> Any:
        """The result, with `successful` and `reason`."""
        request = SetParameters.Request()
        request.parameters = [Parameter(name, value=value).to_parameter_msg()]
        return self.call(SetParameters, "/masa_tracker/set_parameters", request).results[0]

    def change_state(self, transition: str) -> bool:
        request = ChangeState.Request()
        request.transition.id = TRANSITIONS[transition]
        return self.call(ChangeState, "/masa_tracker/change_state", request).success

    def state(self) -> str:
        answer = self.call(GetState, "/masa_tracker/get_state", GetState.Request(), again_s=2.0)
        return answer.current_state.label

    def tracks_at(self, stamp: int) -> TrackArray:
        """Waits for the tracks of the image with this stamp."""
        return self.wait(
            lambda: next((m for m in self.tracks if stamp_ns(m) == stamp), None),
            f"tracks of stamp {stamp}",
        )

    def wait_heard(self, topic: str = "tracks", camera: str = "camera") -> None:
        """Waits until what the node publishes on a topic arrives here."""
        key = f"subscribers of {topic}"
        self.wait(lambda: int(self.status(camera).get(key, 0)) > 0, f"the node to hear of {key}")

    def status(self, name: str) -> dict[str, str]:
        """The next status from the diagnostics, with `level` and `message`, by the end of its
        name; empty if there is none."""
        begin = len(self.diagnostics)
        self.wait(lambda: len(self.diagnostics) > begin, "diagnostics")
        for status in self.diagnostics[-1].status:
            if status.name.endswith(f": {name}"):
                values = {entry.key: entry.value for entry in status.values}
                level = int.from_bytes(status.level, "little")
                return {**values, "level": str(level), "message": status.message}
        return {}

    def settled(self, sent: int, camera: str = "camera") -> dict[str, str]:
        """The status in which every image that was sent is either tracked or counted as lost."""
        for _ in range(int(PATIENCE_S)):  # there is one a second
            status = self.status(camera)
            lost = sum(losses(status).values())
            assert lost == int(status["images lost"])
            if int(status["images received"]) == sent == int(status["images tracked"]) + lost:
                return status
        raise AssertionError(f"{sent} images were sent: {status}")


def losses(status: dict[str, str]) -> dict[str, int]:
    """Lost images by cause."""
    begin = "lost: "
    return {key[len(begin) :]: int(n) for key, n in status.items() if key.startswith(begin)}
