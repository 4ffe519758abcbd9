"""Time and memory of the torch models, with random weights: what docs/models.md shows.

    python scripts/measure_models.py frame masa_r50     # a 1280 x 720 frame with 50 boxes
    python scripts/measure_models.py fusion             # deformable fusion beside torchvision's op
    python scripts/measure_models.py everything         # beside SAM's automatic mask generator
    python scripts/measure_models.py kept               # what that generator does with masks
    python scripts/measure_models.py bundle masa_r50    # its bundle in ONNX Runtime beside torch
    python scripts/measure_models.py precision masa_r50 # embeddings in half precision

    python scripts/measure_models.py frame masa_r50 --device cuda --dtype float16

What is compared runs in turns in one process. Shown are seconds by the clock and seconds of CPU
time, medians; OMP_NUM_THREADS=1 makes the latter comparable on a machine that does other work too.
The memory is the most that a call took over what was held before it (Linux), at the end the most
that the process ever held.
"""

from __future__ import annotations

import argparse
import copy
import resource
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from costs import in_turns, show
from numpy.typing import NDArray
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.modeling import Sam
from torch import Tensor

from masa_core import models
from masa_core.models.deform_conv import DeformConv, deform_conv, flat_read
from masa_core.models.everything import segment_everything
from masa_core.models.export import export
from masa_core.models.fusion import DeformFusion
from masa_core.models.masa import Masa
from masa_core.models.precision import set_type
from masa_core.runtime.ort import OrtModel

HEIGHT, WIDTH = 720, 1280  # of the frame, px
BOXES = 50


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=tuple(MEASURES))
    parser.add_argument("model", nargs="?", default="masa_r50")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    MEASURES[args.what](args)
    if args.device == "cpu":
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"peak memory of the process {kilobytes * 1024 / 1e9:.1f} GB")
    else:
        print(f"peak memory on the device {torch.cuda.max_memory_allocated() / 1e9:.1f} GB")


def measure_frame(args: argparse.Namespace) -> None:
    """Encode, detect, embed 50 boxes, and cut out their masks where the model can."""
    model = models.load(args.model, args.device, args.dtype, random_weights=True)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(f"{model.name}, {args.dtype}, {parameters / 1e6:.0f} million parameters")
    frame, boxes = picture(), some_boxes()
    features = model.encode(frame)
    stages = {
        "encode": lambda: model.encode(frame),
        "detect": lambda: model.detect(features),
        "embed": lambda: model.embed(features, boxes),
    }
    if model.has_masks:
        stages["masks"] = lambda: model.masks(features, boxes)
    show(in_turns(stages, args.device, args.rounds))


def measure_fusion(args: argparse.Namespace) -> None:
    """The three blocks of masa_r50 on the maps of a 1024 x 576 input."""
    torch.manual_seed(0)
    blocks = DeformFusion().eval()
    for block in blocks.dyhead_blocks:  # as made, all offsets are zero
        torch.nn.init.normal_(block.spatial_conv_offset.weight, std=0.02)
    blocks = blocks.to(args.device)
    levels = [torch.randn(1, 256, 144 >> i, 256 >> i, device=args.device) for i in range(5)]

    def run(operator: Callable[..., Tensor]) -> list[Tensor]:
        DeformConv.operator = staticmethod(operator)
        with torch.inference_mode():
            return blocks(levels)

    pairs = zip(run(deform_conv), run(torchvision_deform_conv), strict=True)
    print(f"largest difference {max((a - b).abs().max().item() for a, b in pairs):.1e}")
    calls = {"ours": deform_conv, "torchvision": torchvision_deform_conv}
    show(
        in_turns(
            {name: partial(run, call) for name, call in calls.items()}, args.device, args.rounds
        )
    )


def torchvision_deform_conv(
    x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, stride: int
) -> Tensor:
    from torchvision.ops import deform_conv2d

    size = [-(-side // stride) for side in x.shape[2:]]
    offset = flat_read(offset, 18, *size)
    mask = flat_read(mask, 9, *size)
    return deform_conv2d(x.contiguous(), offset, weight, None, stride, 1, mask=mask)


def measure_everything(args: argparse.Namespace) -> None:
    """300 proposals and their masks, beside SAM's own 32 x 32 points; one ViT-B for both.

    The generator's thresholds drop all masks of random weights, so that what it does with those
    it keeps is not in its time: `measure_kept` tells the most that this can be.
    """
    model, sam = sam_vitb(args)
    generator = SamAutomaticMaskGenerator(sam)
    calls = {
        "everything (300 boxes)": lambda: segment_everything(model, picture()),
        "SAM's generator (32 x 32 points)": lambda: generator.generate(picture()),
    }
    show(in_turns(calls, args.device, args.rounds))


def measure_kept(args: argparse.Namespace) -> None:
    """One of the generator's 16 batches of points, all its masks dropped, and all of them kept."""
    _, sam = sam_vitb(args)
    every = {"pred_iou_thresh": 0.0, "stability_score_thresh": 0.0, "box_nms_thresh": 1.0}
    dropped, kept = SamAutomaticMaskGenerator(sam, 8), SamAutomaticMaskGenerator(sam, 8, **every)
    counts = {}

    def run(name: str, generator: SamAutomaticMaskGenerator) -> None:
        counts[name] = len(generator.generate(picture()))

    calls = {"8 x 8 points, strict": dropped, "8 x 8 points, none dropped": kept}
    show(
        in_turns(
            {name: partial(run, name, each) for name, each in calls.items()},
            args.device,
            args.rounds,
        )
    )
    print(f"masks: {counts}")


def sam_vitb(args: argparse.Namespace) -> tuple[Masa, Sam]:
    """One ViT-B and its mask decoder, as our model and as the package's."""
    model = models.load("masa_sam_vitb", args.device, args.dtype, random_weights=True)
    parts = model.detector.prompt_encoder, model.detector.mask_decoder
    return model, Sam(PackageEncoder(model), *parts).eval()


def measure_bundle(args: argparse.Namespace) -> None:
    """Encode and detect, by torch and by ONNX Runtime, on the CPU."""
    model = models.load(args.model, random_weights=True)
    torch.manual_seed(0)
    for block in model.masa_adapter[1].dyhead_blocks:  # as made, all offsets are zero
        torch.nn.init.normal_(block.spatial_conv_offset.weight, std=0.02)
    # As made, scores are all but equal, and rounding decides what suppresses what.
    torch.nn.init.normal_(model.rpn_head.rpn_cls.weight, std=0.1)
    torch.nn.init.normal_(model.roi_head.bbox_head.fc_cls.weight, std=0.1)
    frame, boxes = picture(), some_boxes()
    with tempfile.TemporaryDirectory() as folder:
        export(model, Path(folder, "bundle"), (HEIGHT, WIDTH))
        bundle = OrtModel(Path(folder, "bundle"), threads=torch.get_num_threads())
        ours, theirs = bundle.encode(frame), model.encode(frame)
        found, expected = bundle.detect(ours), model.detect_objects(theirs)
        shifts = np.abs(found.boxes[:, None] - expected.boxes).max(axis=2).min(axis=1, initial=1e9)
        maps = [level.numpy() for level in theirs.pyramid]
        print("largest differences:")
        for i, level in enumerate(maps[: len(model.roi_head.strides)]):
            print(f"  level {i} {np.abs(ours.tensors[f'level{i}'] - level).max():.1e}")
        difference = bundle.embed(ours, boxes) - model.embed(theirs, boxes)
        print(f"  embeddings {np.abs(difference).max():.1e}")
        print(f"{(shifts < 0.01).sum()} of {len(expected)} boxes are within 0.01 px of torch's")
        show(
            in_turns(
                {
                    "ONNX Runtime": lambda: bundle.detect(bundle.encode(frame)),
                    "torch": lambda: model.detect_objects(model.encode(frame)),
                },
                args.device,
                args.rounds,
            )
        )


def measure_precision(args: argparse.Namespace) -> None:
    """Embeddings of one frame's boxes in half precision beside float32, by the same weights."""
    model = models.load(args.model, args.device, random_weights=True)
    torch.manual_seed(0)
    for block in model.masa_adapter[1].dyhead_blocks:  # as made, all offsets are zero
        torch.nn.init.normal_(block.spatial_conv_offset.weight, std=0.02)
    frame, boxes = picture(), some_boxes()
    exact = model.embed(model.encode(frame), boxes)
    for dtype in (torch.bfloat16, torch.float16):
        half = set_type(copy.deepcopy(model), dtype)
        # Otherwise a CPU takes twenty times as long for convolutions in float16.
        half = half.to(memory_format=torch.channels_last)
        rows = half.embed(half.encode(frame), boxes)
        lengths = np.linalg.norm(exact, axis=1)
        error = np.linalg.norm(rows - exact, axis=1) / lengths
        cosine = (rows * exact).sum(axis=1) / lengths / np.linalg.norm(rows, axis=1)
        print(
            f"{dtype}: off by {error.max():.2%} of the length at most, cosine {cosine.min():.6f}",
            flush=True,
        )


class PackageEncoder(torch.nn.Module):
    """The model's encoder as the package's classes want to see it."""

    def __init__(self, model: Masa) -> None:
        super().__init__()
        self.detector, self.img_size = model.detector, model.detector.size

    def forward(self, images: Tensor) -> Tensor:
        return self.detector.prepare(self.detector.backbone(images))


def picture() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def some_boxes() -> NDArray[np.float32]:
    rng = np.random.default_rng(1)
    corner = rng.uniform(0, 1, (BOXES, 2)) * (WIDTH - 200, HEIGHT - 200)
    return np.hstack((corner, corner + rng.uniform(20, 200, (BOXES, 2)))).astype(np.float32)


MEASURES = {
    "frame": measure_frame,
    "fusion": measure_fusion,
    "everything": measure_everything,
    "kept": measure_kept,
    "bundle": measure_bundle,
    "precision": measure_precision,
}

if __name__ == "__main__":
    main()
