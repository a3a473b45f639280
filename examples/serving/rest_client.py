"""Draw, encode, decode and rate images by a served VAE, in JSON over REST."""

import argparse
import json
import sys
import urllib.error
import urllib.request

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--url", default="http://localhost:8501")
parser.add_argument("--model", default="vae", help="name that the server has for it")
parser.add_argument("--seed", type=int, default=7)
options = parser.parse_args()


def predict(signature_name, **inputs):
    """The output of a signature: nested lists, a row for each row of the inputs."""
    body = {"signature_name": signature_name, "inputs": inputs}
    address = f"{options.url}/v1/models/{options.model}:predict"
    request = urllib.request.Request(address, json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["outputs"]
    except urllib.error.HTTPError as error:
        sys.exit(f"{signature_name}: {json.load(error)['error']}")


# Row i is what `model.sample(n, seed=7)` has there: of a row's seed alone.
seeds = [[options.seed, i] for i in range(3)]
x = predict("sample", seed=seeds)
z = predict("encode", x=x)
means = predict("decode", z=z)
elbo = predict("elbo", x=x, seed=seeds)
print(f"{len(means)} images of {len(means[0])} rows, {len(z[0])} latents each")
print("elbo:", *(f"{value:.3f}" for value in elbo))
