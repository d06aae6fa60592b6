"""LaMa's generator in PyTorch under the release's names, two discriminators, EfficientNet-Lite0, and their losses.

Written from the paper, for machines that have a GPU and PyTorch and no TensorFlow. What the generator draws and what
EfficientNet-Lite0 sees agree with tf_inpaint's to 1e-5. Images are float [B, 3, H, W] in [0, 1], masks and edges
[B, 1, H, W] in {0, 1}, 1 = hole, 1 = line. Convolutions run in what `torch.autocast` says; Fourier transforms, scores
and losses in float32.
"""

import torch
import torch.nn.functional as F
from torch import nn


def reflect(x, n):
    """Reflection by slices: PyTorch's own goes back by atomic additions."""
    top = [x[:, :, i : i + 1] for i in range(n, 0, -1)]
    bottom = [x[:, :, -1 - i : (-i if i else None)] for i in range(1, n + 1)]
    x = torch.cat([*top, x, *bottom], 2)
    left = [x[..., i : i + 1] for i in range(n, 0, -1)]
    right = [x[..., -1 - i : (-i if i else None)] for i in range(1, n + 1)]
    return torch.cat([*left, x, *right], 3)


def conv(inputs, filters, size=1):
    return nn.Conv2d(inputs, filters, size, bias=False)


class FourierUnit(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv_layer, self.bn = conv(2 * channels, 2 * channels), nn.BatchNorm2d(2 * channels)

    def forward(self, x):
        kind, size = x.dtype, x.shape[-2:]
        with torch.autocast(x.device.type, enabled=False):
            spectrum = torch.view_as_real(torch.fft.rfft2(x.float().contiguous(), norm="ortho"))
        batch, channels, height, width, _ = spectrum.shape
        pairs = spectrum.permute(0, 1, 4, 2, 3).reshape(batch, 2 * channels, height, width).to(kind)
        pairs = pairs.contiguous(memory_format=torch.channels_last)
        pairs = F.relu(self.bn(self.conv_layer(pairs)))
        with torch.autocast(x.device.type, enabled=False):
            pairs = pairs.float().reshape(batch, channels, 2, height, width).permute(0, 1, 3, 4, 2).contiguous()
            x = torch.fft.irfft2(torch.view_as_complex(pairs), s=size, norm="ortho")
        return x.to(kind).contiguous(memory_format=torch.channels_last)


class SpectralTransform(nn.Module):
    def __init__(self, inputs, filters):
        super().__init__()
        half = filters // 2
        self.conv1 = nn.Sequential(conv(inputs, half), nn.BatchNorm2d(half), nn.ReLU())
        self.fu, self.conv2 = FourierUnit(half), conv(half, filters)

    def forward(self, x):
        x = self.conv1(x)
        return self.conv2(x + self.fu(x))


class Paths(nn.Module):
    def __init__(self, inputs, filters, size, strides, padding):
        super().__init__()
        (local, far), (to_local, to_far) = inputs, filters
        self.strides, self.padding = strides, padding
        self.convl2l = conv(local, to_local, size)
        self.convl2g = conv(local, to_far, size) if to_far else None
        self.convg2l = conv(far, to_local, size) if far else None
        self.convg2g = SpectralTransform(far, to_far) if far and to_far else None

    def forward(self, local, far):
        padded = reflect(local, self.padding)
        if not self.convl2g:
            return F.conv2d(padded, self.convl2l.weight, stride=self.strides), None
        if not self.convg2l:
            weight = torch.cat([self.convl2l.weight, self.convl2g.weight])
            split = [self.convl2l.out_channels, self.convl2g.out_channels]
            return F.conv2d(padded, weight, stride=self.strides).split(split, 1)
        padded_far = reflect(far, self.padding)
        weight = torch.cat([self.convl2l.weight, self.convg2l.weight], 1)
        to_local = F.conv2d(torch.cat([padded, padded_far], 1), weight)
        return to_local, F.conv2d(padded, self.convl2g.weight) + self.convg2g(far)


class NormalisedPaths(nn.Module):
    def __init__(self, inputs, filters, size=3, strides=1, padding=1):
        super().__init__()
        self.ffc = Paths(inputs, filters, size, strides, padding)
        self.bn_l = nn.BatchNorm2d(filters[0])
        self.bn_g = nn.BatchNorm2d(filters[1]) if filters[1] else None

    def forward(self, local, far=None):
        local, far = self.ffc(local, far)
        return F.relu(self.bn_l(local)), F.relu(self.bn_g(far)) if self.bn_g else None


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1, self.conv2 = (NormalisedPaths(channels, channels) for _ in range(2))

    def forward(self, local, far):
        more_local, more_far = self.conv2(*self.conv1(local, far))
        return local + more_local, far + more_far


class Generator(nn.Module):
    """float [B, 5, H, W] in [0, 1]: masked image, mask, edges in the hole -> [B, 3, H, W] in [0, 1]."""

    def __init__(self, width=32, blocks=9, ratio=0.75, channels=5):
        super().__init__()
        widths = [width * 2**level for level in range(4)]
        far = int(ratio * widths[3])
        split = (widths[3] - far, far)
        layers = {1: NormalisedPaths((channels, 0), (widths[0], 0), 7, padding=3)}
        for level in range(1, 4):
            filters = split if level == 3 else (widths[level], 0)
            layers[1 + level] = NormalisedPaths((widths[level - 1], 0), filters, strides=2)
        layers |= {5 + index: Block(split) for index in range(blocks)}
        place = 6 + blocks
        for level in (3, 2, 1):
            layers[place] = nn.ConvTranspose2d(widths[level], widths[level - 1], 3, 2, 1, output_padding=1)
            layers[place + 1] = nn.BatchNorm2d(widths[level - 1])
            place += 3
        layers[place + 1] = nn.Conv2d(widths[0], 3, 7)
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
            x = F.relu(norm(transposed(x)))
        return torch.sigmoid(last(reflect(x, 3)).float())


# of the depthwise convolutions, by stage
STRIDES = {2: 2, 4: 2, 6: 2, 12: 2}
STAGES = (1, 3, 5, 11, 16)


class EfficientNet(nn.Module):
    """Stages of EfficientNet-Lite0 with its normalisations folded in; frozen. `arrays`: name -> float array."""

    def __init__(self, arrays):
        super().__init__()
        for name, value in arrays.items():
            self.register_buffer(name, torch.from_numpy(value).float())

    def _conv(self, x, name, stride=1, depthwise=False):
        kernel = getattr(self, f"{name}_kernel")
        size = kernel.shape[-1]
        if stride == 2:  # sides are multiples of 32
            before = (size - 2) // 2
            x = F.pad(x, (before, size - 2 - before) * 2)
            padding = 0
        else:
            padding = size // 2
        return F.conv2d(x, kernel, getattr(self, f"{name}_bias"), stride, padding, 1, x.shape[1] if depthwise else 1)

    def forward(self, image, stages=STAGES):
        """List of features of float [B, 3, H, W] in [0, 1]."""
        x = (image * 255.0 - 127.0) / 128.0
        x = F.relu6(self._conv(x.contiguous(memory_format=torch.channels_last), "stem", 2))
        found = []
        for stage in range(1, 17):
            inputs, name = x, f"b{stage}"
            if stage > 1:
                x = F.relu6(self._conv(x, f"{name}_expand"))
            x = F.relu6(self._conv(x, f"{name}_depthwise", STRIDES.get(stage, 1), True))
            x = self._conv(x, f"{name}_project")
            if x.shape == inputs.shape:
                x = x + inputs
            if stage in stages:
                found.append(x)
        return found


def distance(features, targets):
    """[B]: the ruler's, over all positions."""
    total = 0
    for f, g in zip(features, targets):
        f, g = f.float(), g.float()
        f = f * torch.rsqrt(f.square().sum(1, keepdim=True) + 1e-10)
        g = g * torch.rsqrt(g.square().sum(1, keepdim=True) + 1e-10)
        total = total + (f - g).square().sum(1).mean((1, 2))
    return total


class SpectralConv(nn.Module):
    def __init__(self, inputs, filters, size, stride=1, padding=None):
        super().__init__()
        self.conv = nn.Conv2d(inputs, filters, size, stride, size // 2 if padding is None else padding)
        self.register_buffer("u", F.normalize(torch.randn(filters), dim=0))

    def forward(self, x):
        weight = self.conv.weight
        with torch.autocast(x.device.type, enabled=False):
            flat = weight.flatten(1)
            with torch.no_grad():
                v = F.normalize(flat.t() @ self.u, dim=0)
                u = F.normalize(flat @ v, dim=0)
                if self.training:
                    self.u.copy_(u)
            weight = weight / torch.dot(u, flat @ v)
        return F.conv2d(x, weight, self.conv.bias, self.conv.stride, self.conv.padding)


class PatchCritic(nn.Module):
    """Scores of patches of (image, mask): [B, 4, H, W] -> [B, 1, H / 16, W / 16]."""

    def __init__(self, width=64):
        super().__init__()
        widths = [4, width, 2 * width, 4 * width, 4 * width]
        self.layers = nn.ModuleList(SpectralConv(a, b, 5, 2) for a, b in zip(widths, widths[1:]))
        self.last = SpectralConv(widths[-1], widths[-1], 3)
        self.score = SpectralConv(widths[-1], 1, 1)

    def forward(self, image, mask):
        x = torch.cat([image * 2 - 1, mask], 1).contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
        return [self.score(F.leaky_relu(self.last(x), 0.2)).float()]


class FeatureCritic(nn.Module):
    """A head on each of several depths of a frozen network, beside the mask."""

    def __init__(self, channels=(24, 40, 112, 320), width=128):
        super().__init__()
        self.first = nn.ModuleList(SpectralConv(c + 1, width, 3) for c in channels)
        self.second = nn.ModuleList(SpectralConv(width, width, 3) for _ in channels)
        self.score = nn.ModuleList(SpectralConv(width, 1, 1) for _ in channels)
        self.scales = (0.35, 0.35, 0.5, 0.7)

    def forward(self, features, mask):
        scores = []
        for x, first, second, score, scale in zip(features, self.first, self.second, self.score, self.scales):
            plane = F.adaptive_avg_pool2d(mask, x.shape[-2:]).to(x.dtype)
            x = F.leaky_relu(first(torch.cat([x * scale, plane], 1)), 0.2)
            scores.append(score(F.leaky_relu(second(x), 0.2)).float())
        return scores


def at_holes(values, mask):
    """Mean over positions that see a hole."""
    weight = F.max_pool2d(F.adaptive_max_pool2d(mask, values.shape[-2:]), 3, 1, 1)
    return (values * weight).sum() / weight.sum().clamp(min=1)


def critic_loss(real, fake, mask):
    return sum(at_holes(F.relu(1 - r) + F.relu(1 + f), mask) for r, f in zip(real, fake)) / len(real)


def adversarial_loss(fake, mask):
    return -sum(at_holes(f, mask) for f in fake) / len(fake)


def augment(x, mask, draw):
    """DiffAugment: colours and shifts, the same of real and completed; draw: [B, 5] in [-1, 1]."""
    b = draw[:, :, None, None]
    x = x + 0.25 * b[:, 0:1]
    mean = x.mean(1, keepdim=True)
    x = mean + (x - mean) * (1 + b[:, 1:2])
    mean = x.mean((1, 2, 3), keepdim=True)
    x = mean + (x - mean) * (1 + 0.5 * b[:, 2:3])
    n, _, h, w = x.shape
    theta = torch.zeros(n, 2, 3, device=x.device)
    theta[:, 0, 0] = theta[:, 1, 1] = 1
    theta[:, 0, 2] = (draw[:, 3] * w / 16).round() * 2 / w
    theta[:, 1, 2] = (draw[:, 4] * h / 16).round() * 2 / h
    grid = F.affine_grid(theta, (n, 1, h, w), align_corners=False)
    both = torch.cat([x, mask], 1)
    both = F.grid_sample(both, grid, mode="nearest", padding_mode="reflection", align_corners=False)
    return both[:, :3], both[:, 3:]
