"""A graph from `crops` to one output, run on one thread: training leaves the others to others."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray


class Runner:
    """size: the output's second dimension."""

    def __init__(self, model: onnx.ModelProto) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        self.size = int(self._session.get_outputs()[0].shape[1])

    def __call__(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        """The output for (N, 3, *CROP) crops, BGR 0..255."""
        (found,) = self._session.run(None, {"crops": crops})
        return np.asarray(found)
