"""torchvision can be imported, whichever torch it stands beside."""

import torch

from workers.vision import models, transforms


def test_classifiers_and_transforms_work() -> None:
    model = models.squeezenet1_1(weights=None).eval()
    picture = transforms.functional.resize(torch.zeros(3, 40, 40, dtype=torch.uint8), [64, 64], antialias=True)

    with torch.inference_mode():
        assert list(model(picture.float().unsqueeze(0)).shape) == [1, 1000]


def test_the_missing_operators_have_a_schema() -> None:
    assert torch.ops.torchvision.nms is not None
