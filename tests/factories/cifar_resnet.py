"""The 20-layer residual network for CIFAR-10 of He et al., "Deep Residual Learning", 2015, section 4.2.

Three stages of three blocks; shortcuts have no parameters (the paper's option A): where a stage halves the picture
and doubles the channels, every second pixel is kept and the new channels are zero.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_store.manifest import Manifest, Preprocessing, Step, TensorSpec
from model_store.publisher import VersionDraft
from model_store.signature import Sample, encode_samples, from_array
from tests.factories.models import save_scripted

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
MEAN = [0.485, 0.456, 0.406]
STD = [0.229, 0.224, 0.225]
SIDE = 32


class BasicBlock(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.stride = channels // channels_in
        self.new_channels = channels - channels_in
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride=self.stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, images: Tensor) -> Tensor:
        """Return the block's features."""
        features = functional.relu(self.bn1(self.conv1(images)))
        features = self.bn2(self.conv2(features))
        return functional.relu(features + self.shortcut(images))

    def shortcut(self, images: Tensor) -> Tensor:
        """Return the input in the shape of the output: half of the new channels go before, half behind."""
        if self.new_channels == 0:
            return images

        kept = images[:, :, :: self.stride, :: self.stride]
        return functional.pad(kept, [0, 0, 0, 0, self.new_channels // 2, self.new_channels // 2])


class CifarResNet(nn.Module):
    """Pictures [N, 3, 32, 32], normalised, to logits [N, 10]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16)
        self.layer2 = _stage(16, 32)
        self.layer3 = _stage(32, 64)
        self.linear = nn.Linear(64, len(CLASSES))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        features = functional.relu(self.bn1(self.conv1(images)))
        features = self.layer3(self.layer2(self.layer1(features)))
        logits: Tensor = self.linear(features.mean(dim=(2, 3)))
        return logits


def cifar_draft(state_dict: Path, work_dir: Path) -> VersionDraft:
    """Return the draft of the network with the weights of a state dict, scripted into `work_dir`."""
    model = CifarResNet()
    model.load_state_dict(torch.load(state_dict, map_location="cpu", weights_only=True))
    images = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        logits = model.eval()(images)
    inputs = [from_array("image", "FP32", images.numpy())]
    outputs = [from_array("logits", "FP32", logits.numpy())]
    return VersionDraft(
        name="cifar-resnet20",
        version=None,
        manifest=cifar_manifest(),
        artifact=save_scripted(model, work_dir / "cifar.pt"),
        samples=encode_samples([Sample(inputs=inputs, outputs=outputs)]),
    )


def cifar_manifest() -> Manifest:
    """Return the manifest: pictures of any size become the 32×32 that CIFAR-10 has."""
    steps = [
        Step(op="resize", args={"size": [SIDE]}),
        Step(op="center_crop", args={"size": [SIDE, SIDE]}),
        Step(op="to_image"),
        Step(op="to_dtype", args={"dtype": "float32", "scale": True}),
        Step(op="normalize", args={"mean": MEAN, "std": STD}),
    ]
    return Manifest(
        inputs=[TensorSpec(name="image", datatype="FP32", shape=[-1, 3, SIDE, SIDE])],
        outputs=[TensorSpec(name="logits", datatype="FP32", shape=[-1, len(CLASSES)])],
        max_batch_size=64,
        task="image-classification",
        preprocessing=Preprocessing(mode="RGB", steps=steps),
        labels=CLASSES,
    )


def _stage(channels_in: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        BasicBlock(channels_in, channels), BasicBlock(channels, channels), BasicBlock(channels, channels)
    )
