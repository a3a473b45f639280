"""Draw, encode, decode and rate images by a served VAE, in tensors over gRPC."""

import argparse
import sys

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--host", default="localhost:8500")
parser.add_argument("--model", default="vae", help="name that the server has for it")
parser.add_argument("--seed", type=int, default=7)
options = parser.parse_args()

# Left alone, gRPC refuses answers of more than 4 MB.
channel = grpc.insecure_channel(options.host, [("grpc.max_receive_message_length", -1)])
stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)


def predict(signature_name, **inputs):
    """The output of a signature: an array, a row for each row of the inputs."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = options.model
    request.model_spec.signature_name = signature_name
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    try:
        (output,) = stub.Predict(request, timeout=60).outputs.values()
    except grpc.RpcError as error:
        sys.exit(f"{signature_name}: {error.details()}")
    return tf.make_ndarray(output)


# Row i is what `model.sample(n, seed=7)` has there: of a row's seed alone.
seeds = np.array([[options.seed, i] for i in range(3)], "int32")
x = predict("sample", seed=seeds)
z = predict("encode", x=x)
means = predict("decode", z=z)
elbo = predict("elbo", x=x, seed=seeds)
print(f"{len(means)} images of {len(means[0])} rows, {len(z[0])} latents each")
print("elbo:", *(f"{value:.3f}" for value in elbo))
