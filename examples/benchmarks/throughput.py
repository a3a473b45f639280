"""Training speed of one model by tfvae's `model.fit` and by hand in JAX and PyTorch.

Each side trains 784-400-400-z32 (or with --model a convolutional VAE, a gated PixelCNN
or, not in JAX, a DCGAN or a ladder) with Bernoulli pixels, Adam and data in memory, in
a process of its own; epochs take turns, so that all sides meet the same noise of the
machine. Needs `pip install jax torch scikit-learn`; a side that is not installed is
left out.
"""

import argparse
import importlib
import importlib.util
import json
import pathlib
import resource
import subprocess
import sys
import time

import numpy as np

SIDES = ("tfvae", "jax", "jax:scan", "torch", "torch:compile")
# Of the products with weights: forward, by weights, by inputs but for the first layer.
MFLOP = {"mlp": 5.29, "conv": 49.2, "pixelcnn": 500, "dcgan": 178, "ladder": 68.7}
BATCH_SIZE = {"mlp": 128, "conv": 128, "pixelcnn": 25, "dcgan": 128, "ladder": 64}
BATCH_SIZE |= {"pixelcnn_3": 25, "residual_pixelcnn": 25}
BATCH_SIZE |= {"row_lstm": 25, "diagonal_bilstm": 25}


def images(num_rows, seed=0):
    """Binary images `[rows, 28, 28, 1]`: noisy handwritten digits of scikit-learn."""
    from sklearn.datasets import load_digits

    rng = np.random.default_rng(seed)
    small = load_digits().images.astype("float32") / 16
    large = np.pad(np.kron(small, np.ones([1, 3, 3])), [(0, 0), (2, 2), (2, 2)])
    which = rng.integers(len(large), size=num_rows)
    x = np.empty([num_rows, 28, 28, 1], "float32")
    for rows in np.array_split(np.arange(num_rows), -(-num_rows // 1000)):
        probability = large[which[rows], :, :, None].astype("float32")
        x[rows] = rng.random(probability.shape, "float32") < probability
    return x


class Turns:
    """The child's end of the pipe: waits before an epoch, reports after it."""

    def __init__(self, count, option):
        self.count, self.option = count, option

    def begin(self):
        """Waits for the parent."""
        sys.stdin.readline()
        self.start = time.perf_counter()

    def end(self, loss):
        """Tells the seconds and the loss of an epoch, and the peak of memory so far."""
        seconds = time.perf_counter() - self.start
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        print(json.dumps([seconds, loss, memory]), flush=True)


def run_side(options):
    """Runs one side as the child."""
    name, _, option = options.side.partition(":")
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    side = importlib.import_module(f"sides.with_{name}")
    x = images(options.rows)
    turns, batch_size = Turns(options.epochs + 1, option), BATCH_SIZE[options.model]
    side.train(x, turns, options.model, batch_size)


def start(side, options):
    """Starts a child."""
    flags = ["--side", side, f"--rows={options.rows}", f"--epochs={options.epochs}"]
    command = [sys.executable, __file__, *flags, f"--model={options.model}"]
    pipe = subprocess.PIPE
    log = None if options.verbose else subprocess.DEVNULL
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, text=True)


def turn(child):
    """Lets a child train an epoch; returns seconds, loss and MB."""
    child.stdin.write("go\n")
    child.stdin.flush()
    return json.loads(child.stdout.readline())


def sgemm_peak(size=3000, tries=5):
    """GFLOP a second of NumPy's product of two float32 matrices, at best."""
    a = np.ones([size, size], "float32")
    seconds = []
    for _ in range(tries):
        begin = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - begin)
    return 2 * size**3 / min(seconds) / 1e9


def main():
    """Reads the options."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", choices=BATCH_SIZE, default="mlp")
    parser.add_argument("--rows", type=int, default=60_000, help="images in an epoch")
    parser.add_argument("--epochs", type=int, default=10, help="measured epochs")
    parser.add_argument("--against", nargs="+", choices=SIDES[1:], default=SIDES[1:])
    parser.add_argument("--verbose", action="store_true", help="show what sides log")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.side and options.model not in MFLOP:
        parser.error(f"only tfvae has {options.model}: see pixel_cost.py")
    run_side(options) if options.side else compare(options)


def compare(options):
    """Has all sides train in turn and prints the table."""
    sides = ["tfvae", *options.against]
    if options.model in ("dcgan", "ladder"):
        sides = [s for s in sides if "jax" not in s]
    found = [s for s in sides if importlib.util.find_spec(s.partition(":")[0])]
    children = {side: start(side, options) for side in found}
    first, peak = {side: turn(c) for side, c in children.items()}, sgemm_peak()
    rounds = [
        {side: turn(child) for side, child in children.items()}
        for _ in range(options.epochs)
    ]
    print(
        f"{options.rows} images an epoch, {options.epochs} epochs, {peak:.0f} GFLOP/s"
    )
    print(
        "side, examples/s median (min-max), ratio, compile s, peak MB, of sgemm, loss"
    )
    for side in found:
        seconds, losses, memory = np.array([r[side] for r in rounds]).T
        rate = options.rows / seconds
        ratio = np.median([r[side][0] / r["tfvae"][0] for r in rounds])
        print(
            f"{side:14} {np.median(rate):7.0f} ({rate.min():.0f}-{rate.max():.0f})"
            f"  tfvae is {ratio:.2f} x this"
            f"  {first[side][0] - np.median(seconds):5.1f} s  {memory[-1]:5.0f} MB"
            f"  {np.median(rate) * MFLOP[options.model] / peak / 1e3:4.0%}"
            f"  {losses[-1]:.2f}"
        )


if __name__ == "__main__":
    main()
