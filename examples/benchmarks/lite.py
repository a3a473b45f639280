"""Size, error and latency of TFLite files of published models, by how they are held.

The error is the largest difference from the Keras model on typical inputs: samples of
the model, their latents, noise. What is drawn pixel by pixel has the share of pixels
that differ instead. Latency is the median for one image on one thread of LiteRT.
"""

import argparse
import csv
import pathlib
import tempfile
import time

import numpy as np

import tfvae
from tfvae.export import quantize

KINDS = (None, *tfvae.export.tflite.QUANTIZATIONS)
NAMES = ["model", "kind", "kB", "signature", "error", "milliseconds"]


def main():
    """Prints the table and writes it to a CSV file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", help="names of published models")
    parser.add_argument("--runs", type=int, default=100, help="for each latency")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("lite.csv"))
    options = parser.parse_args()
    rows = []
    for name in options.models:
        for row in measure(name, options.runs):
            print(*row, flush=True)
            rows.append(row)
    with options.out.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([NAMES, *rows])


def measure(name, num_runs):
    """Rows of one model."""
    model = tfvae.load(name)
    signatures = {k: s for k, s in model.lite_signatures().items() if not s.random}
    data = samples(model)
    typical = quantize.typical_inputs(model, signatures, data)
    asked = {k: quantize.batch(s, typical, size=10) for k, s in signatures.items()}
    wanted = {k: s.compiled()(*asked[k].values()) for k, s in signatures.items()}
    for kind in KINDS:
        path = pathlib.Path(tempfile.mkdtemp()) / "model.tflite"
        given = {"representative_data": data} if kind == "int8" else {}
        try:
            tfvae.export.to_tflite(model, path, quantize=kind, **given)
        except RuntimeError as error:  # it answers otherwise than the model
            print(error)
            continue
        interpreter = tfvae.export.load_tflite(path)
        size = round(path.stat().st_size / 1000)
        kept = interpreter.get_signature_list().keys() & asked.keys()
        for key in sorted(kept):
            inputs = asked[key]
            run = interpreter.get_signature_runner(key)
            drawn = hasattr(model, "complete") and key != "log_prob"
            error = difference(run(**inputs), wanted[key], drawn)
            one = {k: value[:1] for k, value in inputs.items()}
            latency = median(lambda run=run, one=one: run(**one), num_runs)
            yield [name, kind or "float32", size, key, error, latency]


def samples(model):
    """Samples of the model; of a conditional one, with labels."""
    if not model.condition:
        return model.sample(20, seed=0).numpy()
    rng = np.random.default_rng(0)
    u = rng.integers(model.condition.num_classes, size=20)
    return model.sample(20, u=u, seed=0).numpy(), u


def difference(answer, wanted, drawn):
    """Largest difference, or the share of elements that differ."""
    errors = [np.abs(answer[key] - value) for key, value in wanted.items()]
    return float(f"{np.mean(errors[0] > 0) if drawn else max(map(np.max, errors)):.2g}")


def median(run, num_runs):
    """Median milliseconds of a call."""
    seconds = []
    for _ in range(num_runs + 2):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return round(1e3 * float(np.median(seconds[2:])), 3)


if __name__ == "__main__":
    main()
