"""LaMa's generator in PyTorch, written from the paper, under the names of its release."""

import torch
from torch import nn


def conv(inputs, filters, size=1, strides=1, padding=0):
    """A convolution without bias that pads by reflection."""
    return nn.Conv2d(inputs, filters, size, strides, padding, bias=False, padding_mode="reflect")


class FourierUnit(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv_layer, self.bn = conv(2 * channels, 2 * channels), nn.BatchNorm2d(2 * channels)

    def forward(self, x):
        spectrum = torch.view_as_real(torch.fft.rfft2(x, norm="ortho"))  # [B, C, H, w, 2]
        batch, channels, height, width, _ = spectrum.shape
        pairs = spectrum.permute(0, 1, 4, 2, 3).reshape(batch, 2 * channels, height, width)
        pairs = torch.relu(self.bn(self.conv_layer(pairs)))
        pairs = pairs.reshape(batch, channels, 2, height, width).permute(0, 1, 3, 4, 2).contiguous()
        return torch.fft.irfft2(torch.view_as_complex(pairs), s=x.shape[-2:], norm="ortho")


class SpectralTransform(nn.Module):
    def __init__(self, inputs, filters, unit):
        super().__init__()
        half = filters // 2
        self.conv1 = nn.Sequential(conv(inputs, half), nn.BatchNorm2d(half), nn.ReLU())
        self.fu, self.conv2 = unit(half), conv(half, filters)

    def forward(self, x):
        x = self.conv1(x)
        return self.conv2(x + self.fu(x))


class Paths(nn.Module):
    unit = FourierUnit

    def __init__(self, inputs, filters, **settings):
        super().__init__()
        (local, far), (to_local, to_far) = inputs, filters
        self.convl2l = conv(local, to_local, **settings)
        self.convl2g = conv(local, to_far, **settings) if to_far else None
        self.convg2l = conv(far, to_local, **settings) if far else None
        self.convg2g = SpectralTransform(far, to_far, self.unit) if far and to_far else None

    def forward(self, local, far):
        to_local = self.convl2l(local)
        to_far = self.convl2g(local) if self.convl2g else None
        return (to_local + self.convg2l(far), to_far + self.convg2g(far)) if self.convg2l else (to_local, to_far)


class NormalisedPaths(nn.Module):
    def __init__(self, paths, inputs, filters, size=3, **settings):
        super().__init__()
        self.ffc = paths(inputs, filters, size=size, **settings)
        self.bn_l = nn.BatchNorm2d(filters[0])
        self.bn_g = nn.BatchNorm2d(filters[1]) if filters[1] else None

    def forward(self, local, far=None):
        local, far = self.ffc(local, far)
        return torch.relu(self.bn_l(local)), torch.relu(self.bn_g(far)) if self.bn_g else None


class Block(nn.Module):
    def __init__(self, paths, channels):
        super().__init__()
        self.conv1, self.conv2 = (NormalisedPaths(paths, channels, channels, padding=1) for _ in range(2))

    def forward(self, local, far):
        more_local, more_far = self.conv2(*self.conv1(local, far))
        return local + more_local, far + more_far


class Generator(nn.Module):
    """float [B, channels, H, W] in [0, 1]: masked image, mask, edges if any -> [B, 3, H, W] in [0, 1]."""

    paths = Paths

    def __init__(self, width=64, blocks=18, ratio=0.75, channels=4):
        super().__init__()
        widths = [width * 2**level for level in range(4)]
        far = int(ratio * widths[3])
        split = (widths[3] - far, far)
        layers = {1: NormalisedPaths(self.paths, (channels, 0), (widths[0], 0), 7, padding=3)}
        for level in range(1, 4):
            filters = split if level == 3 else (widths[level], 0)
            layers[1 + level] = NormalisedPaths(self.paths, (widths[level - 1], 0), filters, strides=2, padding=1)
        layers |= {5 + index: Block(self.paths, split) for index in range(blocks)}
        place = 6 + blocks
        for level in (3, 2, 1):
            layers[place] = nn.ConvTranspose2d(widths[level], widths[level - 1], 3, 2, 1, output_padding=1)
            layers[place + 1] = nn.BatchNorm2d(widths[level - 1])
            place += 3
        layers[place + 1] = nn.Conv2d(widths[0], 3, 7, padding=3, padding_mode="reflect")
        self.blocks = blocks
        self.model = nn.ModuleDict({str(index): layer for index, layer in layers.items()})

    def forward(self, x):
        *layers, last = self.model.values()
        paths, up = layers[: 4 + self.blocks], layers[4 + self.blocks :]
        features = (x,)
        for layer in paths:
            features = layer(*features)
        x = torch.cat(features, 1)
        for transposed, norm in zip(up[::2], up[1::2]):
            x = torch.relu(norm(transposed(x)))
        return torch.sigmoid(self.finish(last, x).float())

    def finish(self, last, x):
        return last(x)
