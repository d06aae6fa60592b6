"""Trains LaMa in PyTorch on what `pack.py` wrote, for a number of seconds; README.md says what is minimised.

    python benchmarks/pytorch_training/train.py --packed packed --output run --seconds 790 [--device cpu --width 8]

The learning rate falls to nothing as time runs out. Where `pack.py` packed a start, training goes on from it, of these
`--width` and `--blocks`; `--small 0 --rate 0.5` suit it. Writes `big-lama.ckpt`, which tf_inpaint opens, and prints
what the losses are.
"""

import argparse
import copy
import io
import itertools
import math
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import networks
import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tf_inpaint.ops.edges import canny_edges  # no TensorFlow comes with it

SMALL, FULL = 128, 256  # sides of the images: of the first part of the time, of the rest
SHARES = (1.0, 0.6, 2.5)  # how often a scene, a face, a texture is drawn, relative to their numbers
GUIDED = 0.3  # of the images have edges
LENGTHS = {"perceptual": 1.0, "features": 0.7, "patches": 0.5}  # of gradients
MISSING, KNOWN = 0.25, 0.5  # of those of the absolute error
ALONE = 0.04  # of the time, without discriminators, which come in over as long again
DECAY, SMOOTHING = 0.999, 0.02


class Examples(torch.utils.data.IterableDataset):
    """Batches of (image uint8 [B, H, W, 3], mask, edges uint8 [B, H, W]) without end."""

    def __init__(self, folder, side, batch):
        packed = np.load(folder / "images.npz")
        data, ends, self.kinds = packed["data"], packed["ends"], packed["kinds"]
        pieces = (data[first:end].tobytes() for first, end in zip(ends, ends[1:]))
        with ThreadPoolExecutor() as pool:
            self.images = list(pool.map(_decoded, pieces))
        self.masks = np.load(folder / "masks.npz")["arr_0"]
        self.side, self.batch = side, batch
        self.cumulated = np.cumsum(np.array(SHARES)[self.kinds])

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        random = np.random.default_rng([self.side, worker.id if worker else 0])
        cv2.setNumThreads(0)
        while True:
            examples = [self.example(random) for _ in range(self.batch)]
            yield tuple(torch.from_numpy(np.stack(each)) for each in zip(*examples))

    def example(self, random):
        index = np.searchsorted(self.cumulated, random.random() * self.cumulated[-1])
        image, kind, side = self.images[index], self.kinds[index], self.side
        shorter = min(image.shape[:2])
        least = 0.8 * shorter if side == FULL else max(0.4 * shorter, min(shorter, SMALL))
        crop = round(least + (shorter - least) * random.random())
        y, x = (random.integers(length - crop + 1) for length in image.shape[:2])
        image = image[y : y + crop, x : x + crop]
        if crop != side:
            image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if crop > side else cv2.INTER_CUBIC)
        image = image[:, :: random.choice([-1, 1])]
        image = np.ascontiguousarray(np.rot90(image, random.integers(4)) if kind == 2 else image)
        mask = np.unpackbits(self.masks[random.integers(len(self.masks))], axis=-1)
        mask = np.rot90(mask, random.integers(4))[:, :: random.choice([-1, 1])][:: FULL // side, :: FULL // side]
        edges = np.zeros((side, side), np.uint8)
        if random.random() < GUIDED:
            edges = np.uint8(canny_edges(image) > 0)
            if random.random() < 0.5:  # some of the lines, as people draw
                count, labels = cv2.connectedComponents(edges, connectivity=8)
                kept = random.random(count) < random.random()
                kept[0] = False
                edges = np.uint8(kept[labels])
        return image, np.ascontiguousarray(mask), edges


def _decoded(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


class Training:
    """Networks, their optimizers, and one step of all."""

    def __init__(self, folder, arguments):
        self.device = torch.device(arguments.device)
        settings = {"device": self.device, "memory_format": torch.channels_last}
        self.generator = networks.Generator(arguments.width, arguments.blocks, channels=5)
        if (folder / "start.npz").is_file():
            start = {name: torch.from_numpy(value) for name, value in np.load(folder / "start.npz").items()}
            missing, unknown = self.generator.load_state_dict(start, strict=False)
            if unknown or not all(name.endswith("num_batches_tracked") for name in missing):
                raise SystemExit(f"start.npz is of another generator: {[*unknown, *missing][:3]}")
        self.generator.to(**settings)
        self.mean = copy.deepcopy(self.generator).requires_grad_(False)
        self.seen = networks.EfficientNet(dict(np.load(folder / "efficientnet.npz"))).to(self.device)
        self.critics = torch.nn.ModuleDict({"features": networks.FeatureCritic(), "patches": networks.PatchCritic()})
        self.critics.to(**settings)
        fused = self.device.type == "cuda"
        self.rates = (1e-3 * arguments.rate, 3e-4)
        self.optimizer = torch.optim.Adam(self.generator.parameters(), betas=(0.5, 0.99), fused=fused)
        self.critics_optimizer = torch.optim.Adam(self.critics.parameters(), betas=(0.0, 0.99), fused=fused)
        self.smoothed, self.steps = {}, 0

    def inputs(self, batch):
        """(image, mask, what the generator reads) of a batch."""
        image, mask, edges = (each.to(self.device, non_blocking=True) for each in batch)
        image = image.permute(0, 3, 1, 2).float() / 255
        mask, edges = mask[:, None].float(), edges[:, None].float()
        read = torch.cat([image * (1 - mask), mask, edges * mask], 1)
        return image, mask, read.contiguous(memory_format=torch.channels_last)

    def step(self, batch, progress):
        """One update of all; progress: of the time, in [0, 1]. Returns losses."""
        image, mask, read = self.inputs(batch)
        fall = 1.0 if progress < 0.3 else 0.5 * (1 + math.cos(math.pi * (progress - 0.3) / 0.7))
        self._set_rates(min(1.0, (self.steps + 1) / 200) * max(fall, 0.01), max(fall, 0.2))
        with torch.autocast(self.device.type, torch.bfloat16):
            predicted = self.generator(read)
        completed = (image * (1 - mask) + predicted * mask).detach().requires_grad_()
        judged = min(1.0, max(0.0, progress / ALONE - 1)) if self.smoothed else 0.0
        losses, shown = self._losses(image, completed, mask, judged)
        slope = self._slope(losses, completed, mask, judged)
        sign, holes = torch.sign(predicted.detach() - image), 3 * mask.sum()
        slope = slope + sign * mask * MISSING / holes.sqrt().clamp(min=1)
        slope = slope + sign * (1 - mask) * KNOWN / (sign.numel() - holes).sqrt().clamp(min=1)
        self.optimizer.zero_grad()
        predicted.backward(slope)
        self.optimizer.step()
        losses.update(self._update_critics(*shown))
        with torch.no_grad():
            decay = min(DECAY, (1 + self.steps) / (20 + self.steps))
            torch._foreach_lerp_([*self.mean.parameters()], [*self.generator.parameters()], 1 - decay)
        self.steps += 1
        return losses

    def _losses(self, image, completed, mask, judged):
        """({name: loss} of the generator, what discriminators are shown of real and completed)."""
        count = len(image)
        draw = (2 * torch.rand(count, 5, device=self.device) - 1) * (torch.rand(count, 1, device=self.device) < 0.7)
        with torch.autocast(self.device.type, torch.bfloat16):
            fake, mask_shown = networks.augment(completed, mask, draw)
            with torch.no_grad():
                real, _ = networks.augment(image, mask, draw)
                of_real = self.seen(torch.cat([image, real]))
            of_fake = self.seen(torch.cat([completed, fake]))
            losses = {"perceptual": networks.distance(*([f[:count] for f in of] for of in (of_fake, of_real))).mean()}
            real_seen, fake_seen = ([f[count:] for f in of[1:]] for of in (of_real, of_fake))
            if judged:
                for name, seen in (("features", fake_seen), ("patches", fake)):
                    losses[name] = networks.adversarial_loss(self.critics[name](seen, mask_shown), mask_shown)
        return losses, (real, real_seen, fake.detach(), [f.detach() for f in fake_seen], mask_shown)

    def _slope(self, losses, completed, mask, judged):
        """The gradient at the completed image, each loss's of a length of its own."""
        total = 0
        for name, loss in losses.items():
            (slope,) = torch.autograd.grad(loss, completed, retain_graph=True)
            length = LENGTHS[name]
            if name != "perceptual":  # a discriminator that cannot tell has a loss of 2
                length = length * judged * (2 - self.smoothed[f"critic_{name}"]).clamp(0, 1)
            slope = slope * mask
            total = total + length * slope / self._smooth(name, torch.linalg.vector_norm(slope) + 1e-20)
        return total

    def _update_critics(self, real, real_seen, fake, fake_seen, mask):
        losses = {}
        with torch.autocast(self.device.type, torch.bfloat16):
            critic = self.critics["features"]
            losses["critic_features"] = networks.critic_loss(critic(real_seen, mask), critic(fake_seen, mask), mask)
            both = self.critics["patches"](torch.cat([real, fake]), torch.cat([mask, mask]))[0]
            losses["critic_patches"] = networks.critic_loss(*([part] for part in both.chunk(2)), mask)
        self.critics_optimizer.zero_grad()
        sum(losses.values()).backward()
        self.critics_optimizer.step()
        for name, loss in losses.items():
            self._smooth(name, loss)
        return losses

    def _smooth(self, name, value):
        value = value.detach()
        self.smoothed[name] = torch.lerp(self.smoothed.get(name, value), value, SMOOTHING)
        return self.smoothed[name]

    def _set_rates(self, *shares):
        for optimizer, rate, share in zip((self.optimizer, self.critics_optimizer), self.rates, shares):
            for group in optimizer.param_groups:
                group["lr"] = rate * share

    def finish(self, batches):
        """The running mean, its statistics counted anew over batches."""
        for module in self.mean.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.reset_running_stats()
                module.momentum = None
        self.mean.train()
        with torch.no_grad():
            for batch in batches:
                self.mean(self.inputs(batch)[2])
        return {f"generator.{name}": value.cpu().contiguous() for name, value in self.mean.state_dict().items()}


def main():
    """Trains, and writes the running mean."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packed", type=Path, required=True, help="what pack.py wrote")
    parser.add_argument("--output", type=Path, required=True, help="a folder")
    parser.add_argument("--seconds", type=float, required=True, help="of training")
    parser.add_argument("--small", type=float, default=0.35, help="share of them at 128 x 128 (default: 0.35)")
    parser.add_argument("--batch_sizes", type=int, nargs=2, default=[96, 48], help="at 128 and 256 (default: 96 48)")
    parser.add_argument("--rate", type=float, default=1.0, help="of the generator, relative to 1e-3 (default: 1)")
    parser.add_argument("--width", type=int, default=40)
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--workers", type=int, default=7, help="processes that read, for either size (default: 7)")
    parser.add_argument("--recount", type=int, default=100, help="batches of the statistics (default: 100)")
    parser.add_argument("--device", default="cuda")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    readers = {}
    for side, batch in zip((SMALL, FULL), arguments.batch_sizes):
        settings = {"num_workers": arguments.workers, "pin_memory": arguments.device != "cpu"}
        readers[side] = iter(torch.utils.data.DataLoader(Examples(arguments.packed, side, batch), None, **settings))
    training, began = Training(arguments.packed, arguments), time.monotonic()
    for step in itertools.count(1):
        progress = (time.monotonic() - began) / arguments.seconds
        if progress >= 1:
            break
        losses = training.step(next(readers[SMALL if progress < arguments.small else FULL]), progress)
        if step == 10 or step % 200 == 0:
            print(step, f"{progress:.3f}", *(f"{name} {loss.item():.3g}" for name, loss in losses.items()), flush=True)
    state = training.finish(next(readers[FULL]) for _ in range(arguments.recount))
    arguments.output.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": state}, arguments.output / "big-lama.ckpt")
    print(f"{step - 1} steps: {arguments.output / 'big-lama.ckpt'}")


if __name__ == "__main__":
    main()
