"""ResNet-50, with the strides where the published weights have them."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models import resnet50


class ResNet50(nn.Module):
    """forward: (B, 3, H, W) -> taps C2..C5: 256, 512, 1024, 2048 channels at strides 4..32.

    The "caffe" variant: a block that halves the map does so in its first 1x1 convolution, where
    torchvision does it in the 3x3. Batch norms always use their running statistics, in training
    too, as in the published training; their affine part is trained.
    """

    def __init__(self) -> None:
        super().__init__()
        net = resnet50(weights=None)
        for layer in (net.layer2, net.layer3, net.layer4):
            layer[0].conv1.stride = (2, 2)
            layer[0].conv2.stride = (1, 1)
        self.conv1, self.bn1 = net.conv1, net.bn1
        self.maxpool = net.maxpool
        self.layer1, self.layer2 = net.layer1, net.layer2
        self.layer3, self.layer4 = net.layer3, net.layer4

    def train(self, mode: bool = True) -> ResNet50:
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, images: Tensor) -> list[Tensor]:
        x = self.maxpool(self.bn1(self.conv1(images)).relu_())
        taps = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            taps.append(x)
        return taps
