"""Preprocessing steps give what torchvision's own transforms give, and say what is wrong with a manifest."""

from typing import Any

import pytest
import torch
from PIL import Image

from app.errors import InvalidManifest, UnreadableImage
from model_store.manifest import Step
from workers.runner.pipelines.transforms import build_transform
from workers.vision import transforms

TO_IMAGE = Step(op="to_image")
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def steps(*pairs: tuple[str, dict[str, Any]]) -> list[Step]:
    """Return steps from names and arguments."""
    return [Step(op=op, args=args) for op, args in pairs]


@pytest.fixture
def photo() -> Image.Image:
    """A picture whose pixels all differ."""
    return Image.merge("RGB", [Image.effect_noise((50, 37), 90.0 + shade) for shade in range(3)])


def test_is_what_torchvision_does_for_its_classifiers(photo: Image.Image) -> None:
    mine = build_transform(
        steps(
            ("resize", {"size": [26], "interpolation": "bilinear"}),
            ("center_crop", {"size": [22]}),
            ("to_image", {}),
            ("to_dtype", {"dtype": "float32", "scale": True}),
            ("normalize", {"mean": MEAN, "std": STD}),
        )
    )
    theirs = transforms.Compose(
        [
            transforms.Resize(26),
            transforms.CenterCrop(22),
            transforms.ToImage(),
            transforms.ToDtype(torch.float32, scale=True),
            transforms.Normalize(MEAN, STD),
        ]
    )

    assert torch.equal(mine(photo), torch.as_tensor(theirs(photo)))


@pytest.mark.parametrize(
    ("op", "args", "shape"),
    [
        ("resize", {"size": [5, 7]}, [3, 5, 7]),
        ("resize", {"size": [10]}, [3, 10, 13]),
        ("resize", {"size": [10], "max_size": 12}, [3, 9, 12]),
        ("resize", {"size": [5, 5], "interpolation": "bicubic"}, [3, 5, 5]),
        ("center_crop", {"size": [60]}, [3, 60, 60]),
        ("pad_to_square", {"fill": 255}, [3, 50, 50]),
        ("grayscale", {"channels": 1}, [1, 37, 50]),
        ("grayscale", {"channels": 3}, [3, 37, 50]),
    ],
)
def test_each_step_works_on_pictures_and_on_tensors(
    photo: Image.Image, op: str, args: dict[str, Any], shape: list[int]
) -> None:
    step = Step(op=op, args=args)

    assert list(build_transform([step, TO_IMAGE])(photo).shape) == shape
    assert list(build_transform([TO_IMAGE, step])(photo).shape) == shape


def test_padding_keeps_the_picture_in_the_middle() -> None:
    padded = build_transform([Step(op="pad_to_square", args={"fill": 255}), TO_IMAGE])(Image.new("L", (4, 2)))

    assert padded[0, :, 0].tolist() == [255, 0, 0, 255]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (steps(("resize", {"size": [8]})), "to_image"),
        (steps(("to_dtype", {}), ("to_image", {})), "put 'to_image' before"),
        (steps(("blur", {}), ("to_image", {})), "no preprocessing step 'blur'"),
        (steps(("to_image", {}), ("resize", {"size": [0]})), "size"),
        (steps(("to_image", {}), ("resize", {"size": [8], "interpolation": "best"})), "interpolation 'best'"),
        (steps(("to_image", {}), ("resize", {"size": [8], "colour": 1})), "colour"),
        (steps(("to_image", {}), ("to_dtype", {"dtype": "Tensor"})), "no dtype 'Tensor'"),
        (steps(("to_image", {}), ("normalize", {"mean": [0.5], "std": [0]})), "std"),
    ],
)
def test_wrong_manifests_are_told_what_is_wrong(wrong: list[Step], words: str) -> None:
    with pytest.raises(InvalidManifest, match=words):
        build_transform(wrong)


@pytest.mark.parametrize("op", [("resize", {"size": [256]}), ("pad_to_square", {})])
@pytest.mark.parametrize("size", [(1, 300_000), (300_000, 1)])
def test_a_strip_is_refused_before_it_is_blown_up(op: tuple[str, dict[str, Any]], size: tuple[int, int]) -> None:
    transform = build_transform(steps(op, ("to_image", {})))

    with pytest.raises(UnreadableImage, match="too long a strip"):
        transform(Image.new("L", size))


@pytest.mark.parametrize("size", [(97, 1), (1, 97), (1, 3000)])
def test_a_strip_is_refused_before_it_is_shrunk_to_nothing(size: tuple[int, int]) -> None:
    transform = build_transform(steps(("resize", {"size": [95], "max_size": 96}), ("to_image", {})))

    with pytest.raises(UnreadableImage, match="too long a strip"):
        transform(Image.new("L", size))


def test_the_longest_strip_that_fits_keeps_a_pixel() -> None:
    transform = build_transform(steps(("resize", {"size": [95], "max_size": 96}), ("to_image", {})))

    assert transform(Image.new("L", (96, 1))).shape == (1, 1, 96)
