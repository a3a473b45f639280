"""Where the time goes from `tfvae train` to the end of the first training step.

Each run is a fresh Python: as it comes, and again with the compiled programs of an
earlier run (`tfvae train --xla-cache`). Beside it, what plain Keras takes from its
import to the first step of a dense network on the same data.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

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


def seconds(code, flags=""):
    """Times of one fresh Python."""
    imports, rest = code.strip().split("\n", 1)
    rest = rest.replace("\n", "\n    ")
    code = FRAME.format(imports=imports, rest=rest)
    pipes = {"capture_output": True, "text": True}
    environment = os.environ | {"TF_XLA_FLAGS": flags}
    run = subprocess.run([sys.executable, "-c", code], env=environment, **pipes)
    return json.loads(run.stdout.splitlines()[-1])


parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--runs", type=int, default=5)
options = parser.parse_args()
seconds(KERAS)  # fills the file cache
with tempfile.TemporaryDirectory() as cache:
    flags = f"--tf_xla_persistent_cache_directory={cache}"
    seconds(TFVAE, flags)
    turns = [
        (seconds(TFVAE), seconds(TFVAE, flags), seconds(KERAS))
        for _ in range(options.runs)
    ]
names = "tfvae", "tfvae, again", "Keras"
for name, times in zip(names, zip(*turns, strict=True), strict=True):
    for stage in times[0]:
        print(f"{name:12}  {stage:30} {np.median([t[stage] for t in times]):5.2f} s")
    total = np.median([sum(t.values()) for t in times])
    print(f"{name:12}  {'in all':30} {total:5.2f} s")
ratio = np.median([sum(b.values()) / sum(c.values()) for _, b, c in turns])
print(f"tfvae, again, takes {ratio:.2f} times what Keras takes")
