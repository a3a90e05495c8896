"""The image classification pipeline: file bytes → picture → tensor → scores → labels."""

import threading
from collections.abc import Sequence
from contextlib import nullcontext
from io import BytesIO
from typing import Any

from PIL import Image
from torch import Tensor

from app.errors import GalleyError, InvalidManifest, ModelFailed, SignatureMismatch
from app.scenarios.images import TASK, ImageAnswer, ImageParameters, encode_answer, read_parameters
from model_store.manifest import Manifest
from model_store.signature import SampleTensor
from workers.runner.assets import NO_ASSETS, Assets
from workers.runner.loaded_model import check_tensor
from workers.runner.pipelines.base import Limits, Pipeline, PreparedRow, Rehearsal
from workers.runner.pipelines.best_labels import BestLabels
from workers.runner.pipelines.image_decoding import decode_image, is_small_png, open_image
from workers.runner.pipelines.registry import register
from workers.runner.pipelines.transforms import build_transform
from workers.runner.values import Value

# Decoding takes up to twelve bytes a pixel for a moment. Pictures over this size take turns, so that the peak is that
# of one of them, however many threads decode.
LARGE_PIXELS = 8_000_000
_LARGE = threading.Lock()


@register(TASK)
class ImagePipeline(Pipeline):
    """Classify pictures: one image tensor in, one row of scores out."""

    def __init__(self, manifest: Manifest, limits: Limits, assets: Assets = NO_ASSETS) -> None:
        super().__init__(manifest, limits, assets)
        _check_signature(manifest)
        self._transform = build_transform(manifest.preprocessing.steps)
        self._best = BestLabels(manifest)

    def read_parameters(self, raw: dict[str, Any]) -> ImageParameters:
        """Return how many labels are wanted."""
        return read_parameters(raw)

    def is_quick(self, data: bytes, _parameters: ImageParameters) -> bool:
        """Say whether the file is a PNG of few bytes and pixels."""
        return is_small_png(data)

    def prepare(self, data: bytes, parameters: ImageParameters) -> PreparedRow:
        """Decode one file and preprocess it; the context is the picture's size."""
        opened = open_image(data, max_pixels=self.limits.max_image_pixels)
        with _LARGE if opened.width * opened.height > LARGE_PIXELS else nullcontext():
            picture = decode_image(opened, mode=self.manifest.preprocessing.mode)
            image = self._transform(picture).unsqueeze(0)
        try:
            check_tensor(self.manifest.inputs[0], image)
        except SignatureMismatch as err:
            raise ModelFailed(f"The preprocessing does not fit the model: {err.detail}") from err

        return PreparedRow((image,), picture.size, parameters)

    def encode(self, rows: Sequence[PreparedRow], outputs: Sequence[Value]) -> list[bytes | GalleyError]:
        """Return the best labels of each row; a row whose scores are not finite failed."""
        assert isinstance(outputs[0], Tensor)
        found = self._best.find(outputs[0], [row.parameters.top_k for row in rows])
        return [
            labels if isinstance(labels, GalleyError) else encode_answer(ImageAnswer(labels, *row.context))
            for row, labels in zip(rows, found, strict=True)
        ]

    def rehearsal(self, _usual: Sequence[SampleTensor] = ()) -> Rehearsal:
        """Return a small picture that looks different from every side."""
        falling = Image.linear_gradient("L")
        picture = Image.merge(
            "RGB", (falling, falling.transpose(Image.Transpose.ROTATE_90), Image.radial_gradient("L"))
        )
        file = BytesIO()
        picture.save(file, "PNG")
        return Rehearsal(file.getvalue())


def _check_signature(manifest: Manifest) -> None:
    if len(manifest.inputs) != 1 or len(manifest.inputs[0].shape) != 4:
        raise InvalidManifest("An image classifier takes one input of shape [-1, channels, height, width].")
    if len(manifest.outputs) != 1 or len(manifest.outputs[0].shape) != 2 or manifest.outputs[0].datatype == "BYTES":
        raise InvalidManifest("An image classifier has one output of shape [-1, classes].")

    classes = manifest.outputs[0].shape[1]
    if manifest.labels and classes not in (-1, len(manifest.labels)):
        raise InvalidManifest(f"The manifest has {len(manifest.labels)} labels for an output of {classes} classes.")
