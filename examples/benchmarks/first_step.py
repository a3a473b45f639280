"""Where the time goes from `tfvae train` to the end of the first training step.

Each run is a fresh Python. Beside it, what plain Keras takes from its import to the
first step of a dense network on the same data.
"""

import argparse
import json
import subprocess
import sys

import numpy as np

TFVAE = """
import tensorflow, keras, tensorflow_probability
tick("import TensorFlow, Keras, TFP")
import tfvae.cli
from tfvae.runs.config import configure
from tfvae.runs.training import start
tick("import tfvae")
config = configure("vae_digits")
training = start(folder, config)
tick("data and model")
training.fit([Stop()])
"""
KERAS = """
import tensorflow, keras
tick("import TensorFlow, Keras")
from sklearn.datasets import load_digits
x = load_digits().data.astype("float32") / 16
sizes = [256, 128, 16, 128, 256, 64]
model = keras.Sequential([keras.layers.Dense(size, "relu") for size in sizes])
model.compile("adam", "mse")
tick("data and model")
model.fit(x, x, verbose=0, batch_size=64, callbacks=[Stop()])
"""
FRAME = """
import json, os, sys, tempfile, time
times, begin = {{}}, time.perf_counter()

def tick(name):
    times[name] = time.perf_counter() - begin - sum(times.values())

with tempfile.TemporaryDirectory() as parent:
    folder = os.path.join(parent, "run")
    {imports}
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            tick("compile and first step")
            print(json.dumps(times), flush=True)
            os._exit(0)
    {rest}
"""


def seconds(code):
    """Times of one fresh Python."""
    imports, rest = code.strip().split("\n", 1)
    rest = rest.replace("\n", "\n    ")
    code = FRAME.format(imports=imports, rest=rest)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return json.loads(run.stdout.splitlines()[-1])


parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--runs", type=int, default=5)
options = parser.parse_args()
seconds(KERAS)  # fills the file cache
turns = [(seconds(TFVAE), seconds(KERAS)) for _ in range(options.runs)]
for name, times in zip(("tfvae", "Keras"), zip(*turns, strict=True), strict=True):
    for stage in times[0]:
        print(f"{name}  {stage:30} {np.median([t[stage] for t in times]):5.2f} s")
    total = np.median([sum(t.values()) for t in times])
    print(f"{name}  {'in all':30} {total:5.2f} s")
