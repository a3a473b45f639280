"""Loading images that do not fit in memory, beside Keras's loader of folders.

It writes JPEGs of noise into folders of classes (or takes a folder that has them), then
reads an epoch with each loader in a process of its own: seconds to the first batch,
images a second from then on, and how much the memory of the process grew.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--images", type=int, default=20_000)
parser.add_argument("--size", type=int, default=64, help="pixels of a side")
parser.add_argument("--folder", type=pathlib.Path, help="kept; made if it is missing")
parser.add_argument("--side", choices=["tfvae", "keras"], help="for its own processes")


def write(folder, count, size):
    """Writes JPEGs into ten folders of classes."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for i in range(count):
        place = folder / str(i % 10)
        place.mkdir(parents=True, exist_ok=True)
        rough = Image.fromarray(rng.integers(0, 256, [8, 8, 3]).astype("uint8"))
        rough.resize([size, size]).save(place / f"{i:06}.jpg", quality=90)


def batches(side, folder, size):
    """One epoch of shuffled batches of 128 images with labels."""
    if side == "tfvae":
        import tfvae

        options = {"image_size": (size, size), "labels": True, "cache": False}
        options |= {"validation_fraction": 0.001, "test_fraction": 0.001}
        return tfvae.data.load(folder, batch_size=128, **options).train
    import keras

    options = {"image_size": (size, size), "batch_size": 128, "verbose": False}
    return keras.utils.image_dataset_from_directory(folder, **options)


def read(side, folder, size):
    """Reads an epoch; prints the figures."""
    import tfvae  # noqa: F401, so that both have imported the same

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, first, count = time.perf_counter(), None, 0
    for x, _ in batches(side, folder, size):
        first = first or time.perf_counter()
        count += len(x)
    seconds = time.perf_counter() - first
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(json.dumps([first - start, count / seconds, grown]))


def main():
    """Measures both sides and prints a table."""
    options = parser.parse_args()
    if options.side:
        read(options.side, options.folder, options.size)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or pathlib.Path(scratch) / "images"
        if not folder.exists():
            write(folder, options.images, options.size)
        print("| loader | first batch, s | images/s | memory, MB |\n|---|---|---|---|")
        for side in ("tfvae", "keras"):
            command = [sys.executable, __file__, "--side", side, "--folder", folder]
            command += ["--size", str(options.size)]
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            first, speed, memory = json.loads(run.stdout.splitlines()[-1])
            print(f"| {side} | {first:.1f} | {speed:,.0f} | {memory:,.0f} |")


if __name__ == "__main__":
    main()
