"""Every colour mode, every orientation, and the hostile files of GALLEY_DATA."""

import csv
import os
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image, features

from app.errors import ImageTooLarge, InputError, UnreadableImage, UnsupportedImage
from tests.factories.pictures import encoded
from workers.runner.pipelines.image_decoding import decode_image, is_small_png, open_image, silence_pillow

LIMIT = 50_000_000
ORIENTATION = 0x0112


def decoded(data: bytes, mode: Literal["RGB", "L"] = "RGB") -> Image.Image:
    """Open and decode."""
    return decode_image(open_image(data, max_pixels=LIMIT), mode=mode)


def pixel(data: bytes, at: tuple[int, int] = (0, 0)) -> tuple[int, ...]:
    """Decode to RGB and return one pixel."""
    value = decoded(data).getpixel(at)
    assert isinstance(value, tuple)
    return value


def is_near(found: tuple[int, ...], wanted: tuple[int, ...], tolerance: int = 3) -> bool:
    """Say whether two pixels are about the same."""
    return all(abs(one - other) <= tolerance for one, other in zip(found, wanted, strict=True))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "MPO"])
def test_accepts_each_format(kind: str) -> None:
    data = encoded(Image.new("RGB", (16, 8), (200, 100, 50)), kind)

    assert is_near(pixel(data), (200, 100, 50), tolerance=6)


@pytest.mark.skipif(not features.check("avif"), reason="this build of Pillow has no AVIF")
def test_accepts_avif() -> None:
    assert is_near(pixel(encoded(Image.new("RGB", (16, 8), (200, 100, 50)), "AVIF")), (200, 100, 50), tolerance=8)


@pytest.mark.parametrize(
    ("mode", "value", "kind", "wanted"),
    [
        ("1", 1, "PNG", (255, 255, 255)),
        ("L", 90, "PNG", (90, 90, 90)),
        ("LA", (90, 255), "PNG", (90, 90, 90)),
        ("LA", (0, 0), "PNG", (255, 255, 255)),
        ("RGBA", (10, 20, 30, 255), "PNG", (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), "PNG", (255, 255, 255)),
        ("RGBA", (0, 0, 0, 128), "PNG", (127, 127, 127)),
        ("RGBA", (10, 20, 30, 0), "WEBP", (255, 255, 255)),
        ("CMYK", (0, 255, 255, 0), "TIFF", (255, 0, 0)),
        ("CMYK", (0, 255, 255, 0), "JPEG", (255, 0, 0)),
        ("YCbCr", (128, 128, 128), "JPEG", (128, 128, 128)),
        ("LAB", (255, 128, 128), "TIFF", (255, 255, 255)),
        ("I;16", 32768, "PNG", (128, 128, 128)),
        ("I;16", 65535, "TIFF", (255, 255, 255)),
        ("I", 200, "TIFF", (200, 200, 200)),
        ("I", 51400, "TIFF", (200, 200, 200)),
        ("F", 0.5, "TIFF", (128, 128, 128)),
        ("F", 200.0, "TIFF", (200, 200, 200)),
        ("F", 51400.0, "TIFF", (200, 200, 200)),
    ],
)
def test_every_mode_becomes_the_colour_a_viewer_shows(
    mode: str, value: Any, kind: str, wanted: tuple[int, ...]
) -> None:
    assert is_near(pixel(encoded(Image.new(mode, (8, 8), value), kind)), wanted)


def test_wide_values_beyond_sixteen_bits_are_stretched() -> None:
    values = np.array([[0, 500_000], [1_000_000, 1_000_000]], dtype=np.int32)

    grey = decoded(encoded(Image.fromarray(values), "TIFF"), "L")

    assert list(grey.tobytes()) == [0, 128, 255, 255]


def test_not_a_number_is_black_and_one_flat_value_is_fine() -> None:
    values = np.array([[np.nan, np.inf], [-np.inf, -7.0]], dtype=np.float32)

    grey = decoded(encoded(Image.fromarray(values), "TIFF"), "L")

    assert list(grey.tobytes()) == [255, 255, 255, 0]


def test_palette_with_a_transparent_index_lies_on_white() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([9, 9, 9, 200, 0, 0])

    assert pixel(encoded(image, "PNG")) == (200, 0, 0)
    assert pixel(encoded(image, "PNG", transparency=1)) == (255, 255, 255)
    assert pixel(encoded(image, "GIF", transparency=1)) == (255, 255, 255)


def test_a_transparent_colour_of_rgb_lies_on_white() -> None:
    data = encoded(Image.new("RGB", (4, 4), (1, 2, 3)), "PNG", transparency=(1, 2, 3))

    assert pixel(data) == (255, 255, 255)


def test_decodes_to_grey() -> None:
    grey = decoded(encoded(Image.new("RGB", (4, 4), "white"), "PNG"), "L")

    assert (grey.mode, grey.getpixel((0, 0))) == ("L", 255)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_stands_upright_whatever_exif_says(orientation: int, kind: str) -> None:
    """The stored picture is turned so that the upright one is 40×20 with a red upper left quarter."""
    upright = Image.new("RGB", (40, 20), "blue")
    upright.paste((255, 0, 0), (0, 0, 20, 10))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation

    data = encoded(turned_away(upright, orientation), kind, exif=exif, **({"quality": 95} if kind == "WEBP" else {}))

    image = decoded(data)
    assert image.size == (40, 20)
    assert is_near(pixel(data, (5, 3)), (255, 0, 0), tolerance=40)
    assert is_near(pixel(data, (35, 15)), (0, 0, 255), tolerance=40)


def turned_away(upright: Image.Image, orientation: int) -> Image.Image:
    """Return how a camera stores a picture that a viewer has to turn as `orientation` says."""
    flips = Image.Transpose
    inverse = {
        2: flips.FLIP_LEFT_RIGHT,
        3: flips.ROTATE_180,
        4: flips.FLIP_TOP_BOTTOM,
        5: flips.TRANSPOSE,
        6: flips.ROTATE_90,
        7: flips.TRANSVERSE,
        8: flips.ROTATE_270,
    }
    return upright.transpose(inverse[orientation]) if orientation in inverse else upright


def test_reads_the_first_frame() -> None:
    frames = [Image.new("RGB", (6, 6), colour) for colour in ("red", "lime", "blue")]

    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        assert is_near(pixel(data), (255, 0, 0), tolerance=8)


@pytest.mark.parametrize(
    "data", [b"GIF8", b"<svg/>", b"%!PS-Adobe-3.0 EPSF", b"PK\3\4", b"\0" * 64, b"8BPS" + b"\0" * 40]
)
def test_other_formats_are_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedImage, match="JPEG, PNG"):
        decoded(data)


@pytest.mark.parametrize("kind", ["ICO", "PPM", "TGA", "SGI", "PCX", "JPEG2000", "DDS"])
def test_formats_that_pillow_could_read_are_not_tried(kind: str) -> None:
    with pytest.raises(UnsupportedImage):
        decoded(encoded(Image.new("RGB", (16, 16)), kind))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF"])
def test_a_file_cut_anywhere_is_an_input_error(kind: str) -> None:
    data = encoded(Image.effect_noise((64, 64), 90.0), kind)

    for length in range(0, len(data) // 2, max(1, len(data) // 61)):
        with pytest.raises((UnreadableImage, UnsupportedImage)):
            decoded(data[:length])


def test_size_is_checked_before_pixels_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.new("L", (100, 101)), "PNG")
    open_image(data, max_pixels=10_100)
    monkeypatch.setattr(Image.Image, "load", lambda _image: pytest.fail("decoded"))

    with pytest.raises(ImageTooLarge, match="100×101"):
        open_image(data, max_pixels=10_099)


@pytest.mark.parametrize(
    ("data", "is_small"),
    [
        (encoded(Image.new("L", (128, 128)), "PNG"), True),
        (encoded(Image.new("L", (129, 128)), "PNG"), False),
        (encoded(Image.new("L", (8, 8)), "JPEG"), False),
        (encoded(Image.effect_noise((128, 128), 90.0), "PNG") + b"\0" * 16_384, False),
        (b"\x89PNG\r\n\x1a\n", False),
        (b"", False),
    ],
)
def test_small_pngs_are_known_by_their_header(data: bytes, is_small: bool) -> None:
    assert is_small_png(data) is is_small


def test_pillows_remarks_are_silenced(recwarn: pytest.WarningsRecorder) -> None:
    with warnings.catch_warnings():
        silence_pillow()
        warnings.warn_explicit("Corrupt EXIF data", UserWarning, "TiffImagePlugin.py", 1, module="PIL.TiffImagePlugin")

    assert not recwarn.list


@pytest.mark.needs_data
@pytest.mark.skipif("GALLEY_DATA" not in os.environ, reason="GALLEY_DATA is not set")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_hostile_files_answer_as_their_index_says(subtests: pytest.Subtests) -> None:
    folder = Path(os.environ["GALLEY_DATA"]) / "images-hostile"
    with (folder / "index.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))

    for row in rows:
        with subtests.test(row["file"]):
            assert (
                verdict((folder / row["file"]).read_bytes())
                in {
                    "200": {"accepted"},
                    "4xx": {"refused"},
                    "either": {"accepted", "refused"},
                }[row["expect"]]
            )
    assert len(rows) > 80


def verdict(data: bytes) -> str:
    """Say whether a file is accepted; anything but an InputError goes through."""
    try:
        decoded(data)
    except InputError:
        return "refused"

    return "accepted"
