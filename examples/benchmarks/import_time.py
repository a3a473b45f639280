"""What `import tfvae` adds to importing TensorFlow, Keras and TFP, in one run."""

import argparse
import statistics
import subprocess
import sys
import time

BASE = "import tensorflow, keras, tensorflow_probability"

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--runs", type=int, default=7)
options = parser.parse_args()


def seconds(code):
    """Wall time of a fresh Python that runs `code`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


seconds(BASE)  # fills the file cache
pairs = [(seconds(BASE), seconds(f"{BASE}, tfvae")) for _ in range(options.runs)]
for name, times in zip(("base", "tfvae"), zip(*pairs, strict=True), strict=True):
    print(f"{name:6} median {statistics.median(times):.2f} s")
ratio = statistics.median(ours / base for base, ours in pairs)
print(f"tfvae / base, median of {options.runs} pairs: {ratio:.3f}")
