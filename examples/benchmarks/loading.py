"""Loading images that do not fit in memory, beside Keras's loader of folders.

It writes the same images as JPEGs in folders of classes, as ten TFRecord files and as
an .npy file (or takes a folder that has them). An epoch of each is read in a process of
its own, from files that were just read: seconds to the first batch, images a second
from then on, and how much the memory of the process grew. With --train a small VAE
trains on each for an epoch.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import psutil

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--images", type=int, default=20_000)
parser.add_argument("--size", type=int, default=64, help="pixels of a side")
parser.add_argument("--folder", type=pathlib.Path, help="kept; made if it is missing")
parser.add_argument("--train", action="store_true", help="train a small VAE as well")
parser.add_argument("--side", help=argparse.SUPPRESS)

SIDES = "images", "records", "array", "keras"


def pictures(count, size):
    """Smooth random images, uint8 `[size, size, 3]`."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for _ in range(count):
        rough = Image.fromarray(rng.integers(0, 256, [8, 8, 3]).astype("uint8"))
        yield rough.resize([size, size])


def write(folder, count, size):
    """Writes the images in three forms."""
    import tensorflow as tf

    for i in range(10):
        (folder / "images" / str(i)).mkdir(parents=True)
    names = [str(folder / f"all.tfrecord-{i:05}-of-00010") for i in range(10)]
    records = [tf.io.TFRecordWriter(name) for name in names]
    shape = count, size, size, 3
    array = np.lib.format.open_memmap(folder / "array.npy", "w+", "uint8", shape)
    for i, picture in enumerate(pictures(count, size)):
        path = folder / "images" / str(i % 10) / f"{i:06}.jpg"
        picture.save(path, quality=90)
        array[i] = np.asarray(picture)
        image = tf.train.BytesList(value=[path.read_bytes()])
        label = tf.train.Int64List(value=[i % 10])
        feature = {
            "image": tf.train.Feature(bytes_list=image),
            "label": tf.train.Feature(int64_list=label),
        }
        example = tf.train.Example(features=tf.train.Features(feature=feature))
        records[i * 10 // count].write(example.SerializeToString())
    for file in records:
        file.close()


def batches(side, folder, size):
    """One epoch of shuffled batches of 128 images."""
    if side == "keras":
        import keras

        options = {"image_size": (size, size), "batch_size": 128, "verbose": False}
        data = keras.utils.image_dataset_from_directory(folder / "images", **options)
        return data.map(lambda x, _: x / 255)
    import tfvae

    options = {"validation_fraction": 0.01, "test_fraction": 0.01, "cache": False}
    if side == "images":
        options["image_size"] = size, size
    names = {"images": "images", "records": "*.tfrecord*", "array": "array.npy"}
    return tfvae.data.load(folder / names[side], batch_size=128, **options).train


def memory():
    """The memory that the process has now, MB."""
    return psutil.Process().memory_info().rss / 2**20


def read(side, folder, size, train):
    """Reads an epoch, or trains for one; prints the figures."""
    import tfvae

    if train:
        encoder = tfvae.networks.mlp_encoder((size, size, 3), [64])
        decoder = tfvae.networks.mlp_decoder((size, size, 3), [64])
        vae = tfvae.VAE(encoder, decoder, latent_dim=16)
        vae.compile()
        vae.fit(np.zeros([256, size, size, 3]), batch_size=128, verbose=0)
    before, start, times, held = memory(), time.perf_counter(), [], []

    def note(*_, **__):
        times.append(time.perf_counter())
        held.append(memory())

    data = batches(side, folder, size)
    if train:
        import keras

        watch = keras.callbacks.LambdaCallback(on_train_batch_end=note)
        vae.fit(data, verbose=0, callbacks=[watch])
    else:
        for _ in data:
            note()
    speed = 128 * (len(times) - 1) / (times[-1] - times[0])
    print(json.dumps([times[0] - start, speed, max(held) - before]))


def main():
    """Measures all sides and prints a table."""
    options = parser.parse_args()
    if options.side:
        read(options.side, options.folder, options.size, options.train)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or pathlib.Path(scratch) / "data"
        if not folder.exists():
            write(folder, options.images, options.size)
        print("| source | first batch, s | images/s | memory, MB |\n|---|---|---|---|")
        for side in SIDES:
            for file in folder.rglob("*.*"):  # so that each side finds it in memory
                file.read_bytes()
            command = [sys.executable, __file__, "--side", side, "--folder", folder]
            command += ["--size", str(options.size), *["--train"] * options.train]
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            first, speed, grown = json.loads(run.stdout.splitlines()[-1])
            print(f"| {side} | {first:.1f} | {speed:,.0f} | {grown:,.0f} |")


if __name__ == "__main__":
    main()
