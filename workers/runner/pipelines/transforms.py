"""Preprocessing steps of a manifest, as calls of torchvision's transforms v2."""

from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
import torch
from msgspec import Meta, Struct
from PIL import Image
from torch import Tensor

from app.errors import InvalidManifest, UnreadableImage
from model_store.manifest import Step
from workers.vision import transforms

Picture = Image.Image | Tensor
Transform = Callable[[Picture], Picture]
ops = transforms.functional
Side = Annotated[int, Meta(ge=1, le=8192)]

# A resize by the short side makes a 1×3 000 000 strip 200 GB large. No model wants more than this.
MAX_OUTPUT_PIXELS = 2**26


class _Resize(Struct, frozen=True, forbid_unknown_fields=True):
    size: Annotated[list[Side], Meta(min_length=1, max_length=2)]
    interpolation: str = "bilinear"
    antialias: bool = True
    max_size: Side | None = None

    def build(self) -> Transform:
        mode = _interpolation(self.interpolation)
        size = list(self.size)

        def resize(picture: Picture) -> Picture:
            _check_strip(picture, size, self.max_size)
            return ops.resize(picture, size, mode, self.max_size, self.antialias)  # type: ignore[no-any-return]

        return resize


class _CenterCrop(Struct, frozen=True, forbid_unknown_fields=True):
    size: Annotated[list[Side], Meta(min_length=1, max_length=2)]

    def build(self) -> Transform:
        size = [self.size[0], self.size[-1]]
        return lambda picture: ops.center_crop(picture, size)


class _PadToSquare(Struct, frozen=True, forbid_unknown_fields=True):
    fill: float | list[float] = 0

    def build(self) -> Transform:
        def pad(picture: Picture) -> Picture:
            height, width = ops.get_size(picture)
            side = max(height, width)
            _check_output(picture, side, side)
            left, top = (side - width) // 2, (side - height) // 2
            box = [left, top, side - width - left, side - height - top]
            return ops.pad(picture, box, fill=self.fill)  # type: ignore[no-any-return]

        return pad


class _ToImage(Struct, frozen=True, forbid_unknown_fields=True):
    def build(self) -> Transform:
        return lambda picture: picture if isinstance(picture, Tensor) else ops.pil_to_tensor(picture)


class _ToDtype(Struct, frozen=True, forbid_unknown_fields=True):
    dtype: str = "float32"
    scale: bool = False

    def build(self) -> Transform:
        dtype = getattr(torch, self.dtype, None)
        if not isinstance(dtype, torch.dtype):
            raise InvalidManifest(f"Step 'to_dtype' has no dtype {self.dtype!r}; 'float32' is the usual one.")
        return lambda picture: ops.to_dtype(picture, dtype, self.scale)


class _Normalize(Struct, frozen=True, forbid_unknown_fields=True):
    mean: Annotated[list[float], Meta(min_length=1, max_length=4)]
    std: Annotated[list[Annotated[float, Meta(gt=0)]], Meta(min_length=1, max_length=4)]

    def build(self) -> Transform:
        mean, std = list(self.mean), list(self.std)
        return lambda picture: ops.normalize(picture, mean, std)


class _Grayscale(Struct, frozen=True, forbid_unknown_fields=True):
    channels: Annotated[int, Meta(ge=1, le=3)] = 1

    def build(self) -> Transform:
        return lambda picture: ops.rgb_to_grayscale(picture, self.channels)


_STEPS: dict[str, type[_Resize | _CenterCrop | _PadToSquare | _ToImage | _ToDtype | _Normalize | _Grayscale]] = {
    "resize": _Resize,
    "center_crop": _CenterCrop,
    "pad_to_square": _PadToSquare,
    "to_image": _ToImage,
    "to_dtype": _ToDtype,
    "normalize": _Normalize,
    "grayscale": _Grayscale,
}
_NEEDS_TENSOR = frozenset({"to_dtype", "normalize"})


def build_transform(steps: Sequence[Step]) -> Callable[[Image.Image], Tensor]:
    """Return what turns a decoded picture into a tensor `[channels, height, width]`.

    :raises InvalidManifest: for an unknown step, a wrong argument, or steps that make no tensor.
    """
    names = [step.op for step in steps]
    if "to_image" not in names:
        raise InvalidManifest("The preprocessing makes no tensor; it needs a step 'to_image'.")
    early = _NEEDS_TENSOR.intersection(names[: names.index("to_image")])
    if early:
        raise InvalidManifest(f"Step {min(early)!r} works on tensors; put 'to_image' before it.")

    calls = [_build(step) for step in steps]

    def transform(picture: Image.Image) -> Tensor:
        current: Picture = picture
        for call in calls:
            current = call(current)
        assert isinstance(current, Tensor)
        return current

    return transform


def _build(step: Step) -> Transform:
    if step.op not in _STEPS:
        raise InvalidManifest(f"There is no preprocessing step {step.op!r}; there are {', '.join(_STEPS)}.")

    try:
        return msgspec.convert(step.args, _STEPS[step.op]).build()
    except msgspec.ValidationError as err:
        raise InvalidManifest(f"Step {step.op!r}: {err}.") from err


def _interpolation(name: str) -> transforms.InterpolationMode:
    try:
        return transforms.InterpolationMode(name)
    except ValueError as err:
        names = ", ".join(mode.value for mode in transforms.InterpolationMode)
        raise InvalidManifest(f"Step 'resize' has no interpolation {name!r}; there are {names}.") from err


def _check_strip(picture: Picture, size: list[int], max_size: int | None) -> None:
    if len(size) == 2:
        return

    short, long = sorted(ops.get_size(picture))
    if max_size is None:
        _check_output(picture, size[0], size[0] * long // short)
    elif long > short * max_size:
        # Nothing would be left of its short side.
        raise _too_long(picture)


def _check_output(picture: Picture, height: int, width: int) -> None:
    if height * width > MAX_OUTPUT_PIXELS:
        raise _too_long(picture)


def _too_long(picture: Picture) -> UnreadableImage:
    height, width = ops.get_size(picture)
    return UnreadableImage(f"{width}×{height} is too long a strip for this model's preprocessing")
