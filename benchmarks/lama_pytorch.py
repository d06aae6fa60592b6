"""big-lama against the same network in PyTorch: seconds in turns, and how far apart what they draw is.

    python benchmarks/lama_pytorch.py [--sides 256 512] [--rounds 3] [--repeats 3]

PyTorch is needed beside TensorFlow. Its network, `pytorch_training/generator.py`, is written from the paper's
description, under the names of the release; its random weights, saved by `torch.save`, are what `Inpainter.load` opens.
Both draw the whole image in float32 on all cores, each in a process of its own; PyTorch in both memory layouts, of
which the faster one counts.
"""

import os
import statistics
import sys
import tempfile
import time

import numpy as np
from measuring import in_child, is_child, table

from tf_inpaint import cli

KINDS = ("tf_inpaint", "pytorch", "pytorch_nhwc")


def network(torch):
    """The generator of big-lama: float32 [B, 4, H, W] in [0, 1], masked image and mask, to [B, 3, H, W] in [0, 1]."""
    from pytorch_training.generator import Generator

    torch.manual_seed(0)
    generator = Generator()
    image, mask = picture(128)
    with torch.no_grad():
        generator(_channels(torch, image, mask))  # running statistics that keep signals at their size
        for module in generator.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None
                module.reset_running_stats()
        generator(_channels(torch, image, mask))
    return generator.eval()


def picture(side):
    """An image and a hole of half its side: uint8 [side, side, 3], bool [side, side]."""
    y, x = np.mgrid[:side, :side] / side
    image = np.stack([255 * x, 255 * y, 127 + 127 * np.sin(40 * x * y)], -1).astype(np.uint8)
    hole = np.zeros((side, side), bool)
    hole[side // 4 : 3 * side // 4, side // 4 : 3 * side // 4] = True
    return image, hole


def _channels(torch, image, mask):
    values = np.concatenate([image / 255.0 * ~mask[..., None], mask[..., None]], -1)
    return torch.from_numpy(values.astype(np.float32).transpose(2, 0, 1)[None])


def forward(kind, weights, side):
    """A function that draws the image of a side: float32 [side, side, 3] in [0, 1]."""
    image, mask = picture(side)
    if kind == "tf_inpaint":
        from tf_inpaint.inference.inpainter import Inpainter

        inpainter = Inpainter.load(weights)
        return lambda: inpainter.outputs(image, mask)["predicted"] / 2 + 0.5
    import torch

    generator, inputs = network(torch), _channels(torch, image, mask)
    if kind == "pytorch_nhwc":
        generator, inputs = (each.to(memory_format=torch.channels_last) for each in (generator, inputs))
    with torch.no_grad():
        generator(inputs)

    def run():
        with torch.no_grad():
            return generator(inputs)[0].numpy().transpose(1, 2, 0)

    return run


def main(argv):
    parser = cli.Parser(prog="lama_pytorch.py", description=__doc__.splitlines()[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--rounds", type=int, default=3, help="processes of each kind, in turns")
    parser.add_argument("--repeats", type=int, default=3, help="images that a process draws after its first")
    parser.add_argument("--child", nargs=2, metavar=("KIND", "FOLDER"), help="what a process of its own runs")
    arguments = parser.parse_args(argv)
    if is_child():
        return _child(*arguments.child, arguments.sides[0], arguments.repeats)
    try:
        import torch
    except ImportError:
        parser.error("PyTorch is not installed: pip install torch")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # or PyTorch's threads count as busy while they wait
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        state = {f"generator.{name}": value for name, value in network(torch).state_dict().items()}
        torch.save({"state_dict": state}, os.path.join(folder, "big-lama.ckpt"))
        for side in arguments.sides:
            taken = {kind: [] for kind in KINDS}
            for _ in range(arguments.rounds):
                for kind in KINDS:
                    options = ("--child", kind, folder, "--sides", side, "--repeats", arguments.repeats)
                    taken[kind].append([float(each) for each in in_child(__file__, *options).split()])
            ours, *others = (np.load(os.path.join(folder, f"{kind}.npy")) for kind in KINDS)
            apart = max(np.abs(ours - other).max() for other in others)
            wall, processor = (
                {kind: statistics.median(times[i] for times in taken[kind]) for kind in KINDS} for i in (0, 1)
            )
            ratios = [min(times[kind] for kind in KINDS[1:]) / times[KINDS[0]] for times in (wall, processor)]
            cells = [f"{wall[kind]:.2f}, {processor[kind]:.2f}" for kind in KINDS]
            rows.append((side, *cells, *(f"{ratio:.2f}" for ratio in ratios), f"{apart:.1e}"))
    print(f"seconds of the clock, of the processor; {os.cpu_count()} cores; PyTorch {torch.__version__}")
    table(("side", *KINDS, "times as fast", "by cpu", "apart"), rows)
    return cli.DONE


def _child(kind, folder, side, repeats):
    """Print the median seconds, of the clock and of the processor, and keep what was drawn."""
    run = forward(kind, os.path.join(folder, "big-lama.ckpt"), side)
    np.save(os.path.join(folder, f"{kind}.npy"), run())
    times = []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        run()
        times.append((time.perf_counter() - wall, time.process_time() - processor))
    print(*(statistics.median(each) for each in zip(*times)))
    return cli.DONE


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    cli.run(main)
