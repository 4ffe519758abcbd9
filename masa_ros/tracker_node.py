"""The tracker as a managed (lifecycle) node, and the process around it."""

from __future__ import annotations

import gc
import signal
import sys
import traceback

import rclpy
import rclpy.logging
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType, JumpHandle, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_srvs.srv import Trigger

from masa_core.runtime import ModelError
from masa_core.tracking import TrackerConfig
from masa_ros.diagnostics import node_status
from masa_ros.engine import Engine
from masa_ros.parameter_server import ParameterServer
from masa_ros.parameters import Settings
from masa_ros.srv import SetPrompt
from masa_ros.stamp_gate import StampGate

_STOP_TIMEOUT_S = 10.0  # for the image that the model is working on
_END_TIMEOUT_S = 3.0  # when the process is to end: launch waits for 5 s before it kills
_ENDING = (signal.SIGINT, signal.SIGTERM)
_SUCCESS = TransitionCallbackReturn.SUCCESS


class TrackerNode(LifecycleNode):
    """configure loads the model, activate subscribes and starts the worker, deactivate ends both,
    cleanup frees the model.

    Subscription callbacks only enqueue. Everything but the worker runs in the executor's thread,
    which must be a single one.

    Raises ValueError when a parameter is wrong, with all that is wrong.
    """

    def __init__(self) -> None:
        super().__init__("masa_tracker")
        self._engine: Engine | None = None
        self._jumps: JumpHandle | None = None
        self._state = "unconfigured"
        self._parameter_server = ParameterServer(self, self._accept)
        names = self._parameter_server.settings.cameras or ("",)
        self._gates = {name: StampGate() for name in names}  # an epoch outlives a cleanup

        self.create_service(Trigger, "~/reset", self._on_reset)
        self.create_service(SetPrompt, "~/set_prompt", self._on_set_prompt)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        # Not of the node's clock: with use_sim_time it stands still until someone publishes
        # /clock, which is one of the silences to be explained.
        self.create_timer(1.0, self._on_second, clock=Clock(clock_type=ClockType.STEADY_TIME))
        backwards = JumpThreshold(
            min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=False
        )
        self._jumps = self.get_clock().create_jump_callback(
            backwards, post_callback=self._on_clock_jump
        )

    def autostart(self) -> bool:
        """Configures and activates, if parameter autostart says so; whether that went well."""
        if not self._parameter_server.settings.autostart:
            return True
        return self.trigger_configure() == _SUCCESS and self.trigger_activate() == _SUCCESS

    # Transitions. rclpy swallows what they raise, so they raise nothing without a word.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        parameters = self._parameter_server
        try:
            self._engine = Engine(self, parameters.settings, parameters.tracker_config, self._gates)
        except (ModelError, ValueError) as error:
            self.get_logger().error(f"cannot be configured: {error}")
            return TransitionCallbackReturn.FAILURE
        except Exception:
            if self.context.ok():  # else it is asked to end while it begins
                self.get_logger().error(f"cannot be configured:\n{traceback.format_exc()}")
            return TransitionCallbackReturn.FAILURE
        self._state = "inactive"
        self.get_logger().info(f"model {self._engine.model.name} is loaded")
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        assert self._engine is not None
        result = super().on_activate(state)  # the publishers, before there is anything to publish
        self._engine.start()
        self._state = "active"
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        if not self._stop():
            return TransitionCallbackReturn.ERROR
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        result = super().on_cleanup(state)
        self._free("unconfigured")
        return result

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._stop()
        result = super().on_shutdown(state)
        self._free("finalized")
        return result

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._stop()
        result = super().on_error(state)
        self._free("unconfigured")
        return result

    def _stop(self, timeout_s: float = _STOP_TIMEOUT_S) -> bool:
        """Whether the model came to rest."""
        self._state = "inactive"
        if self._engine is None or self._engine.stop(timeout_s):
            return True
        self.get_logger().error(
            f"the model did not come to the end of an image in {timeout_s:.0f} s"
        )
        return False

    def _free(self, state: str) -> None:
        if self._engine is not None:
            self._engine.destroy()
            self._engine = None
            gc.collect()  # a model holds itself in cycles
        self._state = state

    def _accept(self, settings: Settings, config: TrackerConfig) -> None:
        if self._engine is not None:
            self._engine.configure(settings, config)

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        epochs = [f"{name} {gate.new_epoch()}".strip() for name, gate in self._gates.items()]
        response.success = True
        response.message = f"epoch of the next image: {', '.join(epochs)}"
        return response

    def _on_set_prompt(
        self, request: SetPrompt.Request, response: SetPrompt.Response
    ) -> SetPrompt.Response:
        response.success = False
        if self._parameter_server.settings.detector == "topic":
            response.message = "detections come from a topic: give the prompt to who sends them"
        elif self._engine is None:
            response.message = "no model is loaded: configure the node first"
        else:
            try:
                names = self._engine.set_prompt(request.prompt)
            except ValueError as error:
                response.message = str(error)
            else:
                response.success = True
                response.message = f"looking for {', '.join(names)}"
        return response

    def _on_clock_jump(self, jump: TimeJump) -> None:
        now_ns = self.get_clock().now().nanoseconds
        jumped = [gate.clock_jumped(now_ns) for gate in self._gates.values()]
        if any(jumped):
            self.get_logger().info("the clock went back: a new epoch begins")

    def _on_second(self) -> None:
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        engine = self._engine
        model = engine.model.name if engine is not None else self._parameter_server.settings.model
        name = f"{self.get_name()}: node"
        message.status = [node_status(name, model, self._state, len(self._gates))]
        if engine is not None:
            message.status += engine.status()
        self._diagnostics.publish(message)

    def destroy_node(self) -> None:
        """Ends the work first, whatever the state."""
        if self._stop(_END_TIMEOUT_S):
            self._free("finalized")
        if self._jumps is not None:  # as after a wrong parameter
            self._jumps.unregister()
            self._jumps = None
        super().destroy_node()


def main(args: list[str] | None = None) -> int:
    """The process: 0 when it was asked to end, 1 when it could not begin."""
    # rclpy's own handlers end the spinning; these keep Python from raising KeyboardInterrupt,
    # however often Ctrl-C is pressed, in the middle of the shutdown.
    for number in _ENDING:
        signal.signal(number, lambda *_: None)
    try:
        rclpy.init(args=args)
    except RuntimeError as error:  # as of a parameter file that is not there, or no YAML
        _tell(f"cannot begin with these arguments: {error}")
        return 1
    try:
        return _run()
    except Exception:
        if rclpy.ok():
            raise
        return 0  # asked to end while it began
    finally:
        rclpy.get_default_context().try_shutdown()
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)  # Python's end would restore the default


def _run() -> int:
    try:
        node = TrackerNode()
    except (ValueError, ParameterException) as error:  # the second: one of rclpy's own parameters
        _tell(str(error))
        return 1
    try:
        if not node.autostart():
            return 1 if rclpy.ok() else 0
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        while rclpy.ok():
            try:
                executor.spin()
            except ExternalShutdownException:
                break
            except Exception:  # of one callback: the others go on
                if not rclpy.ok():  # the end came while the next wait was being prepared
                    break
                node.get_logger().error(
                    f"internal error:\n{traceback.format_exc()}", throttle_duration_sec=5.0
                )
    finally:
        node.destroy_node()
    return 0


def _tell(why: str) -> None:
    for line in why.splitlines():
        rclpy.logging.get_logger("masa_tracker").fatal(line)


if __name__ == "__main__":
    sys.exit(main())
