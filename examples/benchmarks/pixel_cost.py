"""What networks of pixels cost in training: epochs of `fit` in turns, and memory.

All have 24 features and five blocks, and batches of 25 images of 28 x 28; PixelCNN's
windows are of 5 columns, or of 3. Prints milliseconds a step, the median ratio to the
first one's epoch of the same turn, and the peak of memory of a process that trains
nothing else.
"""

import argparse

import numpy as np
import throughput

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--rows", type=int, default=500, help="images in an epoch")
parser.add_argument("--epochs", type=int, default=7, help="measured epochs")
parser.add_argument("--networks", nargs="+", help="by default all")
options = parser.parse_args()
options.verbose = False

names = ["pixelcnn", "pixelcnn_3", "residual_pixelcnn", "row_lstm", "diagonal_bilstm"]
children = {}
for name in options.networks or names:
    options.model = name
    children[name] = throughput.start("tfvae", options)
for child in children.values():
    throughput.turn(child)  # which compiles
turns = [
    {name: throughput.turn(child) for name, child in children.items()}
    for _ in range(options.epochs)
]
first = next(iter(children))
for name in children:
    seconds, _, memory = np.transpose([turn[name] for turn in turns])
    ratio = np.median([turn[name][0] / turn[first][0] for turn in turns])
    step = 1e3 * np.median(seconds) / (options.rows / throughput.BATCH_SIZE[name])
    print(f"{name:18} {step:6.0f} ms {ratio:6.2f} x {memory[-1]:6.0f} MB")
