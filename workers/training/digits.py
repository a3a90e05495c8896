"""The demo model `digits`: handwritten digits, read from scans, photographs and screens."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import torch
from PIL import Image
from torch import Generator, Tensor

from model_store.manifest import Manifest, Preprocessing, Step, TensorSpec
from model_store.publisher import VersionDraft
from model_store.signature import Sample, encode_samples, from_array
from workers.runner.pipelines.image_decoding import decode_image, open_image
from workers.runner.pipelines.transforms import build_transform
from workers.training.computing import alone
from workers.training.digits_data import Scans, load_scans, scan_fields
from workers.training.digits_model import PICTURE_SIDE, DigitReader
from workers.training.digits_photos import Glyphs, photograph
from workers.training.digits_training import Schedule, accuracy, train_reader
from workers.training.progress import Report

LABELS = [str(digit) for digit in range(10)]
PREPROCESSING = Preprocessing(
    mode="L",
    steps=[
        # Shrunk before it is padded: padded first, a large picture that is not square takes the memory of its square.
        Step(op="resize", args={"size": [PICTURE_SIDE - 1], "max_size": PICTURE_SIDE}),
        Step(op="pad_to_square", args={"fill": 0}),
        Step(op="resize", args={"size": [PICTURE_SIDE, PICTURE_SIDE]}),
        Step(op="to_image"),
        Step(op="to_dtype", args={"dtype": "float32", "scale": True}),
    ],
)

_SAMPLE_ROWS = 2
_MAX_BATCH = 64
# Each held-out scan is photographed this often for the second figure.
_PHOTOS_PER_SCAN = 4
_PHOTOS_AT_ONCE = 40


def train_digits(work_dir: Path, *, report: Report, seed: int = 0, schedule: Schedule | None = None) -> VersionDraft:
    """Train, evaluate and script the network; the artifact is written to `work_dir`.

    Takes under a minute of one core. The same seed gives the same network on the same machine.
    """
    with alone(seed):
        generator = Generator().manual_seed(seed)
        training, held_out = load_scans(seed)
        reader = train_reader(training, schedule or Schedule(), generator, report)
        metrics = evaluate(reader, held_out, generator)
        samples = _samples(reader, held_out)
    report(f"digits: {metrics['accuracy']:.1%} of held-out scans, {metrics['photo_accuracy']:.1%} of photographs")
    artifact = work_dir / "model.pt"
    torch.jit.script(reader).save(str(artifact))  # type: ignore[no-untyped-call]
    return VersionDraft(name="digits", version=None, manifest=_manifest(metrics), artifact=artifact, samples=samples)


def evaluate(reader: DigitReader, held_out: Scans, generator: Generator) -> dict[str, float]:
    """Return the accuracy on held-out scans, sent as PNG files of 8×8 pixels, and on photographs made of them."""
    return {
        "accuracy": accuracy(reader, iter([(preprocess_files(scan_files(held_out)), held_out.labels)])),
        "photo_accuracy": accuracy(reader, _photographed(held_out, generator)),
        "held_out_scans": float(len(held_out)),
    }


def preprocess_files(files: list[bytes]) -> Tensor:
    """Return files of 8×8 pixels as the runner would hand them to the network, [N, 1, 96, 96]."""
    transform = build_transform(PREPROCESSING.steps)
    pictures = [decode_image(open_image(data, max_pixels=64), mode=PREPROCESSING.mode) for data in files]
    return torch.stack([transform(picture) for picture in pictures])


def scan_files(scans: Scans) -> list[bytes]:
    """Return each scan as a PNG file of 8×8 pixels."""
    return [_png(picture[0], side=8) for picture in scans.pictures]


def sample_pictures(out_dir: Path, *, seed: int = 0) -> list[Path]:
    """Write one held-out scan of each digit, enlarged to 64×64 pixels, as `digit-N.png`, and return the paths."""
    out_dir.mkdir(parents=True, exist_ok=True)
    _, held_out = load_scans(seed)
    paths = [out_dir / f"digit-{digit}.png" for digit in range(10)]
    for digit, path in enumerate(paths):
        first = int((held_out.labels == digit).nonzero()[0])
        path.write_bytes(_png(held_out.pictures[first, 0], side=64))
    return paths


def _png(picture: Tensor, *, side: int) -> bytes:
    file = BytesIO()
    image = Image.fromarray((picture * 255).round().byte().numpy())
    image.resize((side, side), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()


def _photographed(scans: Scans, generator: Generator) -> Iterator[tuple[Tensor, Tensor]]:
    everyone = torch.ones(len(scans), dtype=torch.bool)
    glyphs = Glyphs(scan_fields(scans.pictures), scans.labels, everyone)
    for rows in torch.split(torch.arange(len(scans)).repeat(_PHOTOS_PER_SCAN), _PHOTOS_AT_ONCE):
        yield photograph(glyphs.pick(rows), generator), glyphs.labels[rows]


def _manifest(metrics: dict[str, float]) -> Manifest:
    return Manifest(
        task="image-classification",
        inputs=[TensorSpec(name="pictures", datatype="FP32", shape=[-1, 1, PICTURE_SIDE, PICTURE_SIDE])],
        outputs=[TensorSpec(name="logits", datatype="FP32", shape=[-1, len(LABELS)])],
        max_batch_size=_MAX_BATCH,
        preprocessing=PREPROCESSING,
        labels=LABELS,
        description="Handwritten digits, dark on light or light on dark. Trained on scikit-learn's digits and on "
        "strokes drawn by a simulated pen.",
        metrics=metrics,
    )


def _samples(reader: DigitReader, scans: Scans) -> bytes:
    pictures = preprocess_files(scan_files(scans)[:_SAMPLE_ROWS])
    with torch.inference_mode():
        logits = reader(pictures)
    inputs = [from_array("pictures", "FP32", pictures.numpy())]
    outputs = [from_array("logits", "FP32", logits.numpy())]
    return encode_samples([Sample(inputs=inputs, outputs=outputs)])
