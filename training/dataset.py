"""Pairs of views for the training loop: sample number n is the same views whenever it is asked for.

Each sample has random numbers of its own, made from the run's seed and its number. So a run that
goes on after a stop sees what it would have seen, and N processes see together what one would see.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import RandomState
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from training.config import Config, Data
from training.distributed import World
from training.index import ImageFolder, Index, open_index
from training.losses.masks import mask_targets
from training.samples import read_sample
from training.views.pair import make_pair
from training.views.view import View

MASK_SIZE = 28  # px a side of a mask to learn
MASKS = 32  # of a view, at most: what a step may cost
_TRIES = 15  # images that cannot be read, one after the other


@dataclass(eq=False)
class Side:
    """The key or the reference views of a batch of B pairs.

    images: (B, H, W, 3) uint8 BGR. boxes: B tensors (N_i, 4) float32 px, which may stick out.
    ids: B tensors (N_i,) int64 > 0.
    """

    images: Tensor
    boxes: list[Tensor]
    ids: list[Tensor]

    def to(self, device: torch.device) -> Side:
        def move(tensors: list[Tensor]) -> list[Tensor]:
            return [tensor.to(device, non_blocking=True) for tensor in tensors]

        return Side(move([self.images])[0], move(self.boxes), move(self.ids))


@dataclass(eq=False)
class Batch:
    """numbers: of the samples. mask_rows, masks: of each key view, some of its boxes with the
    segment inside, (M_i,) int64 and (M_i, 28, 28) float32; empty where no mask head learns.
    problems: sentences on images that could not be read, in whose place others were taken."""

    numbers: list[int]
    key: Side
    reference: Side
    mask_rows: list[Tensor]
    masks: list[Tensor]
    problems: list[str]

    def to(self, device: torch.device) -> Batch:
        masks = [mask.to(device, non_blocking=True) for mask in self.masks]
        rows = [row.to(device, non_blocking=True) for row in self.mask_rows]
        return replace(
            self,
            key=self.key.to(device),
            reference=self.reference.to(device),
            mask_rows=rows,
            masks=masks,
        )


@dataclass(eq=False)
class Sample:
    number: int
    key: View
    reference: View
    mask_rows: np.ndarray
    masks: np.ndarray
    problems: list[str]


def open_data(data: Data) -> Index:
    """The images that a configuration names. Raises ValueError, OSError."""
    places = {folder: Path(place) for folder, place in data.segments.items()}
    return open_index(
        [ImageFolder(Path(f), places.get(f), weight) for f, weight in data.folders.items()]
    )


class UnusableData(ValueError):
    """Too many images in a row that cannot be used; one sentence with the last reason."""


class ViewPairs(Dataset[Sample | UnusableData]):
    """The samples of a run by number: step s of a batch of P pairs is samples sP .. sP + P - 1.

    UnusableData is given, not raised: PyTorch would wrap it in the stack trace of a worker.
    """

    def __init__(self, config: Config, index: Index) -> None:
        self.config = config
        self.index = index
        self.with_masks = config.onnx is not None and config.onnx.masks

    def __len__(self) -> int:
        return self.config.steps * self.config.data.pairs

    def __getitem__(self, number: int) -> Sample | UnusableData:
        try:
            return self.sample(number)
        except UnusableData as error:
            return error

    def sample(self, number: int) -> Sample:
        """Raises UnusableData."""
        rng = RandomState((self.config.run.seed, number))
        settings = self.config.views
        problems: list[str] = []
        source = self._draw(rng, problems)
        mixes = settings.mixup and mixup_is_on(self.config, number // self.config.data.pairs)
        partner = self._draw(rng, problems) if mixes else None
        key, reference = make_pair(source, partner, rng, settings)
        rows = np.zeros(0, np.int64)
        if self.with_masks:
            with_mask = np.flatnonzero([mask.width > 0 for mask in key.masks])
            rows = np.sort(rng.permutation(with_mask)[:MASKS]).astype(np.int64)
        return Sample(number, key, reference, rows, mask_targets(key, rows, MASK_SIZE), problems)

    def _draw(self, rng: RandomState, problems: list[str]) -> View:
        sources = self.config.data.sources
        for _ in range(_TRIES):
            number = self.index.draw(rng)
            try:
                sample = read_sample(self.index, number, self.with_masks, sources)
                return self._thinned(View.of_segments(*sample), number)
            except (ValueError, OSError) as error:
                problems.append(str(error))
        raise UnusableData(
            f"{_TRIES} images drawn one after the other cannot be used, the last because "
            f"{problems[-1]}; python -m training.check says what is wrong with the data"
        )

    def _thinned(self, view: View, number: int) -> View:
        """At most `most_segments` of image `number`, chosen with random numbers of its own: what is
        drawn for the views is the same with more segments and with fewer."""
        most = self.config.data.most_segments
        if not most or len(view) <= most:
            return view
        order = RandomState((self.config.run.seed, number, 0)).permutation(len(view))
        return view.take(np.sort(order[:most]))


def mixup_is_on(config: Config, step: int) -> bool:
    """Off in the last `without_mixup` of the epochs in which everything is trained."""
    epoch, schedule = step // config.steps_per_epoch, config.schedule
    return not schedule.epochs - schedule.without_mixup <= epoch < schedule.epochs


def batch_numbers(config: Config, world: World, first_step: int) -> Iterator[list[int]]:
    """Sample numbers of this process's batches from a step on: `accumulate` of them a step."""
    parts = config.run.accumulate
    size = config.data.pairs // (world.size * parts)
    for step in range(first_step, config.steps):
        own = step * config.data.pairs + world.rank * size * parts
        for part in range(parts):
            yield list(range(own + part * size, own + (part + 1) * size))


def batches(config: Config, index: Index, world: World, first_step: int) -> Iterator[Batch]:
    """This process's batches from a step on. Raises UnusableData."""
    workers = config.data.workers
    loader = DataLoader(
        ViewPairs(config, index),
        batch_sampler=batch_numbers(config, world, first_step),
        collate_fn=collate,
        num_workers=workers,
        worker_init_fn=_begin_worker if workers else None,
        pin_memory=world.device.type == "cuda",
        generator=torch.Generator(),  # its seeds must not come out of the run's own numbers
    )
    for batch in loader:
        if isinstance(batch, UnusableData):
            raise batch
        yield batch


def _begin_worker(_number: int) -> None:
    cv2.setNumThreads(0)  # there is a process for each core already
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the training process says when to end
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def collate(given: list[Sample | UnusableData]) -> Batch | UnusableData:
    samples = [sample for sample in given if isinstance(sample, Sample)]
    for error in given:
        if isinstance(error, UnusableData):
            return error
    return Batch(
        [sample.number for sample in samples],
        _side([sample.key for sample in samples]),
        _side([sample.reference for sample in samples]),
        [torch.from_numpy(sample.mask_rows) for sample in samples],
        [torch.from_numpy(sample.masks) for sample in samples],
        [problem for sample in samples for problem in sample.problems],
    )


def _side(views: list[View]) -> Side:
    return Side(
        torch.from_numpy(np.stack([view.image for view in views])),
        [torch.from_numpy(view.boxes) for view in views],
        [torch.from_numpy(view.ids) for view in views],
    )
