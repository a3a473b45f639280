"""Sample from a `.tflite` file as a phone does: without TensorFlow or this package."""

import argparse

import numpy as np
from ai_edge_litert.interpreter import Interpreter

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("file", help="for instance runs/vae_digits/vae_digits.tflite")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()

interpreter = Interpreter(options.file)
sample = interpreter.get_signature_runner("sample")
(width,) = sample.get_input_details()["noise"]["shape_signature"][1:]
noise = np.random.default_rng(options.seed).standard_normal((1, width), "float32")
image = sample(noise=noise)["x"][0, :, :, 0]
for row in image:
    print("".join(" .:-=+*#%@"[int(9.99 * value)] for value in np.clip(row, 0, 1)))
