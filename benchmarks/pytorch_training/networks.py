"""LaMa's generator in PyTorch under the release's names, two discriminators, EfficientNet-Lite0, and their losses.

Written from the paper, for machines that have a GPU and PyTorch and no TensorFlow. What the generator draws and what
EfficientNet-Lite0 sees agree with tf_inpaint's to 1e-5. Images are float [B, 3, H, W] in [0, 1], masks and edges
[B, 1, H, W] in {0, 1}, 1 = hole, 1 = line. Convolutions run in what `torch.autocast` says; Fourier transforms, scores
and losses in float32.
"""

import generator
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


class FourierUnit(generator.FourierUnit):
    """Transforms in float32, everything else as it comes, channels last."""

    def forward(self, x):
        kind, size = x.dtype, x.shape[-2:]
        with torch.autocast(x.device.type, enabled=False):
            spectrum = torch.view_as_real(torch.fft.rfft2(x.float().contiguous(), norm="ortho"))
        batch, channels, height, width, _ = spectrum.shape
        pairs = spectrum.permute(0, 1, 4, 2, 3).reshape(batch, 2 * channels, height, width).to(kind)
        pairs = F.relu(self.bn(self.conv_layer(pairs.contiguous(memory_format=torch.channels_last))))
        with torch.autocast(x.device.type, enabled=False):
            pairs = pairs.float().reshape(batch, channels, 2, height, width).permute(0, 1, 3, 4, 2).contiguous()
            x = torch.fft.irfft2(torch.view_as_complex(pairs), s=size, norm="ortho")
        return x.to(kind).contiguous(memory_format=torch.channels_last)


class Paths(generator.Paths):
    """Fewer and larger convolutions, each map reflected once."""

    unit = FourierUnit

    def forward(self, local, far):
        strides, (padding, _) = self.convl2l.stride, self.convl2l.padding
        padded = reflect(local, padding)
        if not self.convl2g:
            return F.conv2d(padded, self.convl2l.weight, stride=strides), None
        if not self.convg2l:
            weight = torch.cat([self.convl2l.weight, self.convl2g.weight])
            split = [self.convl2l.out_channels, self.convl2g.out_channels]
            return F.conv2d(padded, weight, stride=strides).split(split, 1)
        weight = torch.cat([self.convl2l.weight, self.convg2l.weight], 1)
        to_local = F.conv2d(torch.cat([padded, reflect(far, padding)], 1), weight)
        return to_local, F.conv2d(padded, self.convl2g.weight) + self.convg2g(far)


class Generator(generator.Generator):
    """The same network, quicker with gradients on a GPU."""

    paths = Paths

    def finish(self, last, x):
        return F.conv2d(reflect(x, 3), last.weight, last.bias)


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
