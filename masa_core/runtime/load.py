"""From a name or a folder to a model that is ready to run."""

from __future__ import annotations

from pathlib import Path

from masa_core.assets import asset_path
from masa_core.runtime.protocol import Model, ModelError
from masa_core.wording import nearest

MASK_MODELS = ("sam_vitb", "sam_vith", "mobile_sam")  # give masks only
TORCH_MODELS = (
    "masa_r50",
    "masa_sam_vitb",
    "masa_sam_vith",
    "masa_gdino",
    "masa_detic",
    *MASK_MODELS,
)
BUNDLES = ("nanodet_masa",)  # those that come with the package, in assets


def load_model(
    name: str | Path,
    device: str = "cpu",
    dtype: str = "float32",
    threads: int | None = None,
    weights: str | Path | None = None,
    random_weights: bool = False,
) -> Model:
    """A model by its name (one of TORCH_MODELS or BUNDLES), or the bundle in a folder.

    device: "cpu", "cuda" or "cuda:1". dtype: "float32", "float16" or "bfloat16" for a torch model;
    a bundle runs as it was made and takes "float32" only. threads: of the CPU, for a bundle; by
    default one for each core that this process may use, four at most. weights: of a torch model,
    a file or the folder with it; by default $MASA_WEIGHTS or ~/.cache/masa_ros/weights.
    random_weights: run a torch model without any; its name then says so.

    Raises ModelError, whose message is one sentence with the remedy.
    """
    if str(name) in TORCH_MODELS:
        return _load_torch(str(name), device, dtype, weights, random_weights)
    folder = Path(name).expanduser()
    if not folder.is_dir():
        if str(name) not in BUNDLES:
            known = (*BUNDLES, *TORCH_MODELS)
            raise ModelError(f"{name} is neither a folder nor a model{nearest(str(name), known)}")
        try:
            folder = asset_path(str(name))
        except FileNotFoundError as error:
            raise ModelError(str(error)) from error
    if dtype != "float32":
        raise ModelError(f"{name} is a bundle, which runs as it was made: leave dtype at float32")
    if weights is not None or random_weights:
        raise ModelError(f"{name} is a bundle, which has its weights in it: name no others")
    # Imported here, because a torch model needs no ONNX Runtime.
    from masa_core.runtime.ort import OrtModel

    return OrtModel(folder, device, threads)


def _load_torch(
    name: str, device: str, dtype: str, weights: str | Path | None, random_weights: bool
) -> Model:
    try:
        from masa_core import models
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "torchvision"):
            raise
        raise ModelError(
            f"{name} needs {error.name}, which is not installed: pip install 'masa_ros[torch]'"
        ) from error
    return models.load(name, device, dtype, random_weights, weights)
