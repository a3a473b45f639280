"""Sample from a `.tflite` file as a phone does: without TensorFlow or this package."""

import argparse
import json
import pathlib

import numpy as np
from ai_edge_litert.interpreter import Interpreter

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("file", help="for instance savedmodels/vae_mnist/vae_mnist.tflite")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()

about = json.loads(pathlib.Path(f"{options.file}.json").read_text())
noise = about["signatures"]["sample"]["inputs"]["noise"]
rng, shape = np.random.default_rng(options.seed), (1, *noise["shape"][1:])
draw = rng.random if noise["meaning"] == "uniform noise" else rng.standard_normal

sample = Interpreter(options.file).get_signature_runner("sample")
image = sample(noise=draw(shape).astype("float32"))["x"][0, :, :, 0]
for row in image:
    print("".join(" .:-=+*#%@"[int(9.99 * value)] for value in np.clip(row, 0, 1)))
