"""An ONNX graph opened by ONNX Runtime on the device that was asked for."""

from __future__ import annotations

import os
from pathlib import Path

import onnxruntime

from masa_core.runtime.protocol import ModelError

_MAX_THREADS = 4  # more gain a small network little and starve the rest of a robot


def open_session(path: Path, device: str, threads: int | None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or min(_cores(), _MAX_THREADS)
    # Threads that wait for work would otherwise turn in circles on the cores that others need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    provider, provider_options = _provider(device)
    try:
        session = onnxruntime.InferenceSession(
            path, options, providers=[provider], provider_options=[provider_options]
        )
    except Exception as error:  # ONNX Runtime has a class of its own for each cause
        raise ModelError(
            f"{path} cannot be run by ONNX Runtime {onnxruntime.__version__}: {error}"
        ) from error
    if provider not in session.get_providers():
        raise ModelError(
            f"ONNX Runtime cannot use {device} for {path}: its CUDA libraries did not load (see "
            "the lines above); install the CUDA and cuDNN that it names, or use device cpu"
        )
    return session


def _provider(device: str) -> tuple[str, dict[str, str]]:
    kind, _, number = device.partition(":")
    if kind == "cpu" and not number:
        return "CPUExecutionProvider", {}
    if kind != "cuda" or not (number or "0").isdecimal():
        raise ModelError(f"unknown device {device!r}: use cpu, cuda, or cuda:1 for the second GPU")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise ModelError(
            f"device {device!r} needs ONNX Runtime with CUDA: pip uninstall onnxruntime, then "
            "pip install onnxruntime-gpu; or use device cpu"
        )
    return "CUDAExecutionProvider", {"device_id": number or "0"}


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
