"""What a run says of itself: lines, a progress bar, TensorBoard's scalars and pictures."""

from __future__ import annotations

import math
from collections import defaultdict
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from masa_core.io.atomic import write_text
from training.clip import open_clip
from training.config import Config, ConfigError
from training.dataset import Batch, Side
from training.distributed import World
from training.index import Index
from training.retrieval import of_model, retrieval
from training.state import State

_COLOURS = np.random.RandomState(0).randint(64, 256, (64, 3))


class Report:
    """Of all processes the first one reports; the others keep silent. Used in a `with` block."""

    def __init__(self, config: Config, world: World, state: State) -> None:
        self._config, self._world, self._state = config, world, state
        self._sums: dict[str, float] = defaultdict(float)
        self._count = 0
        self._named: set[str] = set()  # images that could not be read
        self._writer: SummaryWriter | None = None
        self._clip = None
        if world.is_first and config.validation is not None:
            self._clip = open_clip(config.validation.clip, config.validation.truth)
            if next(self._clip.frames(), None) is None:  # now, not after so many steps
                raise ConfigError(f"validation: no frame of {config.validation.clip} has a label")

    def __enter__(self) -> Report:
        if self._world.is_first:
            folder = self._config.folder
            folder.mkdir(parents=True, exist_ok=True)
            write_text(folder / "config.yaml", self._config.as_yaml())
            self._writer = SummaryWriter(str(folder), purge_step=self._state.step)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def say(self, text: str) -> None:
        if self._world.is_first:
            tqdm.write(text)

    def begin(self, start: str, index: Index) -> None:
        config, state = self._config, self._state
        trained = sum(p.numel() for p in state.learner.trained().values())
        left_out = f", {index.without_segments} without segments" if index.without_segments else ""
        self.say(f"model: {start}; {trained / 1e6:.2f} M parameters to train")
        self.say(f"data: {len(index)} images{left_out}")
        self.say(
            f"steps {state.step} to {config.steps} of {config.data.pairs} pairs on "
            f"{self._world.size} x {self._world.device.type}, {config.run.precision}; results in "
            f"{config.folder}"
        )

    def bad_step(self, step: int, losses: dict[str, float], in_a_row: int) -> None:
        values = ", ".join(f"{name} {value:g}" for name, value in losses.items())
        self.say(
            f"step {step}: loss or gradient is no number ({values}); the step is left out "
            f"({in_a_row} in a row, {self._state.skipped} in all)"
        )

    def step(
        self,
        losses: dict[str, float],
        norm: float | None,
        rate: float,
        seconds: float,
        batch: Batch,
        bar: tqdm,
    ) -> None:
        """After each step: `state.step` counts it already."""
        for problem in batch.problems:
            if problem not in self._named:
                self._named.add(problem)
                tqdm.write(f"an image was left out: {problem}")
        if norm is not None and math.isfinite(norm):  # fp16 has infinite ones now and then
            for name, value in {**losses, "gradient": norm}.items():
                self._sums[name] += value
            self._count += 1
        images_s = 2 * self._config.data.pairs / seconds
        bar.update()
        bar.set_postfix(loss=f"{sum(losses.values()):.3f}", views_s=f"{images_s:.1f}")
        if self._writer is None:
            return
        step, run = self._state.step, self._config.run
        if step % run.log_every == 0 and self._count:
            self._log(step, rate, images_s, hidden=bar.disable)
        if run.pictures_every and (step - 1) % run.pictures_every == 0:
            self._writer.add_image("views", picture(batch), step, dataformats="HWC")
        validation = self._config.validation
        last = step == self._config.steps
        if validation is not None and (step % validation.every == 0 or last):
            self._validate(step)

    def _log(self, step: int, rate: float, images_s: float, hidden: bool) -> None:
        assert self._writer is not None
        means = {name: value / self._count for name, value in self._sums.items()}
        for name, value in means.items():
            self._writer.add_scalar(f"train/{name}", value, step)
        self._writer.add_scalar("train/rate", rate, step)
        self._writer.add_scalar("train/views_per_s", images_s, step)
        self._writer.add_scalar("train/skipped", self._state.skipped, step)
        if hidden:  # where there is no bar to look at
            total = sum(value for name, value in means.items() if name != "gradient")
            self.say(f"step {step}: loss {total:.4f}, rate {rate:.2g}, {images_s:.1f} views/s")
        self._sums.clear()
        self._count = 0

    def _validate(self, step: int) -> None:
        assert self._writer is not None and self._config.validation is not None
        assert self._clip is not None
        gaps_s = self._config.validation.gaps_s
        with self._state.averaged():
            found = retrieval(of_model(self._state.learner.model), self._clip, gaps_s)
        self._state.history[str(step)] = found
        for case, values in found.items():
            for gap, value in zip(gaps_s, values, strict=True):
                self._writer.add_scalar(f"rank-1 {case}/{gap:g} s", value, step)
        parts = [f"{case} {' / '.join(f'{v:.3f}' for v in row)}" for case, row in found.items()]
        gaps = " / ".join(f"{gap:g}" for gap in gaps_s)
        self.say(f"step {step}: rank-1 at {gaps} s: {', '.join(parts)}")


def picture(batch: Batch) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB: the first pair side by side, an instance in one colour in both."""
    sides = [_drawn(batch.key), _drawn(batch.reference)]
    return np.ascontiguousarray(np.concatenate(sides, axis=1)[..., ::-1])


def _drawn(side: Side) -> NDArray[np.uint8]:
    import cv2

    image = side.images[0].cpu().numpy().copy()
    for box, number in zip(side.boxes[0].tolist(), side.ids[0].tolist(), strict=True):
        colour = tuple(int(c) for c in _COLOURS[number % len(_COLOURS)])
        x1, y1, x2, y2 = (round(edge) for edge in box)
        cv2.rectangle(image, (x1, y1), (x2, y2), colour, 1)
    drawn: NDArray[np.uint8] = image
    return drawn
