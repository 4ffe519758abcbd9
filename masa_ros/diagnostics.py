"""What the node says of itself once a second on /diagnostics."""

from __future__ import annotations

import os
import sys
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from masa_ros.silence import PATIENCE_S
from masa_ros.statistics import Summary

_MIB = 1 << 20


def camera_status(
    name: str,
    model: str,
    epoch: int,
    summary: Summary,
    subscribers: dict[str, int],
    silent_s: float | None,
) -> DiagnosticStatus:
    """Rates, losses by cause and latencies of one camera. WARN while images are lost or missing.

    silent_s: since the last image; None while the node is not active.
    """
    level = DiagnosticStatus.OK
    text = f"{summary.received_hz:.1f} images/s in, {summary.processed_hz:.1f} tracked"
    if silent_s is None:
        text = "not active"
    elif silent_s > PATIENCE_S:
        level, text = DiagnosticStatus.WARN, f"no image for {silent_s:.0f} s"
    elif summary.newly_lost:
        level, text = DiagnosticStatus.WARN, f"{text}, {summary.newly_lost} lost in the last second"
    values: dict[str, Any] = {
        "epoch": epoch,
        "images received": summary.received,
        "images tracked": summary.processed,
        "images lost": sum(summary.dropped.values()),
        "images lost by the middleware": summary.undelivered,
        "input rate (Hz)": f"{summary.received_hz:.1f}",
        "output rate (Hz)": f"{summary.processed_hz:.1f}",
    }
    values |= {f"lost: {cause}": count for cause, count in sorted(summary.dropped.items())}
    values |= {f"left out: {cause}": count for cause, count in sorted(summary.ignored.items())}
    values |= {f"subscribers of {topic}": count for topic, count in subscribers.items()}
    for stage, (p50, p99) in summary.latency_ms.items():
        values[f"{stage} p50 (ms)"], values[f"{stage} p99 (ms)"] = f"{p50:.2f}", f"{p99:.2f}"
    return _status(name, level, text, model, values)


def node_status(name: str, model: str, state: str, cameras: int) -> DiagnosticStatus:
    """The node's state and memory. WARN while it does not track, so that silence is explained."""
    hints = {
        "active": "active",
        "inactive": "inactive: waits for the lifecycle transition activate",
        "unconfigured": "unconfigured: waits for the lifecycle transition configure",
    }
    level = DiagnosticStatus.OK if state == "active" else DiagnosticStatus.WARN
    values: dict[str, Any] = {
        "state": state,
        "model": model,
        "cameras": cameras,
        "memory (MiB)": f"{resident_bytes() / _MIB:.0f}",
    }
    device_bytes = cuda_bytes()
    if device_bytes is not None:
        values["device memory (MiB)"] = f"{device_bytes / _MIB:.0f}"
    return _status(name, level, hints.get(state, state), model, values)


def resident_bytes() -> int:
    """Memory of this process; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def cuda_bytes() -> int | None:
    """Device memory that torch holds; None where torch or a device is not in use."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    return int(torch.cuda.memory_reserved())


def _status(
    name: str, level: bytes, text: str, hardware_id: str, values: dict[str, Any]
) -> DiagnosticStatus:
    return DiagnosticStatus(
        name=name,
        level=level,
        message=text,
        hardware_id=hardware_id,
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )
