"""TF Serving in small: its gRPC and REST interfaces over the C++ session it runs."""

import contextlib
import http.server
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

CODES = {code.value[0]: code for code in grpc.StatusCode}
UNLIMITED = [
    (f"grpc.max_{way}_message_length", -1) for way in ("send", "receive")
]  # as TF Serving has it


class Servable:
    """A loaded version: names are compared with the signature, as in predict_util.cc.

    Types and shapes are left to the session, without the checks and casts of Python's
    `session.run`.
    """

    def __init__(self, path):
        graph = tf.Graph()
        self.session = tf.compat.v1.Session(graph=graph)
        with graph.as_default():
            loaded = tf.compat.v1.saved_model.load(self.session, ["serve"], str(path))
        self.signatures = dict(loaded.signature_def)
        del self.signatures["__saved_model_init_op"]
        self._runners = {name: self._runner(name) for name in self.signatures}

    def _runner(self, name):
        signature = self.signatures[name]
        feed, fetch = (
            [info.name for info in infos.values()]
            for infos in (signature.inputs, signature.outputs)
        )
        options = config_pb2.CallableOptions(feed=feed, fetch=fetch)
        return self.session._make_callable_from_options(options)

    def predict(self, request):
        """A dict of arrays; raises `tf.errors.OpError`."""
        name = request.model_spec.signature_name or "serving_default"
        if name not in self.signatures:
            text = f'Serving signature key "{name}" not found.'
            raise tf.errors.FailedPreconditionError(None, None, text)
        signature = self.signatures[name]
        check_names(set(request.inputs), set(signature.inputs))
        values = [parsed(key, request.inputs[key]) for key in signature.inputs]
        return dict(zip(signature.outputs, self._runners[name](*values), strict=True))


def check_names(received, wanted):
    if received != wanted:
        text = f"Sent extra: {received - wanted}. Missing: {wanted - received}."
        raise tf.errors.InvalidArgumentError(None, None, text)


def parsed(name, tensor):
    try:
        return tf.make_ndarray(tensor)
    except (TypeError, ValueError) as error:
        text = f"tensor parsing error: {name}"
        raise tf.errors.InvalidArgumentError(None, None, text) from error


def as_tensor(name, value, dtype):
    try:
        return tf.make_tensor_proto(np.asarray(value, dtype.as_numpy_dtype))
    except (OverflowError, TypeError, ValueError) as error:
        text = f"JSON value of {name} is no {dtype.name}"
        raise tf.errors.InvalidArgumentError(None, None, text) from error


class Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Servables by the names of their models."""

    def __init__(self, servables):
        self.servables = servables

    def Predict(self, request, context):
        try:
            outputs = self.answer(request)
        except tf.errors.OpError as error:
            context.abort(CODES[error.error_code], error.message)
        tensors = {key: tf.make_tensor_proto(value) for key, value in outputs.items()}
        return predict_pb2.PredictResponse(outputs=tensors)

    def answer(self, request):
        name = request.model_spec.name
        if name not in self.servables:
            text = f"Servable not found for request: Latest({name})"
            raise tf.errors.NotFoundError(None, None, text)
        return self.servables[name].predict(request)


@contextlib.contextmanager
def grpc_server(servicer):
    """Address of a gRPC server on this machine."""
    server = grpc.server(ThreadPoolExecutor(4), options=UNLIMITED)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        servicer, server
    )
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        yield f"localhost:{port}"
    finally:
        server.stop(None).wait()


@contextlib.contextmanager
def rest_server(servicer):
    """URL of a REST server on this machine, for the columnar form."""
    handler = type("Handler", (Handler,), {"servicer": servicer})
    with http.server.ThreadingHTTPServer(("localhost", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        status, answer = 200, None
        try:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            outputs = self.servicer.answer(self.request_of(body))
            outputs = {key: value.tolist() for key, value in outputs.items()}
            (alone,) = outputs.values() if len(outputs) == 1 else [outputs]
            answer = {"outputs": alone}
        except tf.errors.OpError as error:
            status, answer = 400, {"error": error.message}
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def request_of(self, body):
        """JSON numbers become the type that the signature has."""
        model = self.path.removeprefix("/v1/models/").removesuffix(":predict")
        request = predict_pb2.PredictRequest()
        request.model_spec.name = model
        request.model_spec.signature_name = body["signature_name"]
        infos = self.servicer.servables[model].signatures[body["signature_name"]].inputs
        check_names(set(body["inputs"]), set(infos))
        for key, value in body["inputs"].items():
            dtype = tf.as_dtype(infos[key].dtype)
            request.inputs[key].CopyFrom(as_tensor(key, value, dtype))
        return request

    def log_message(self, *args):
        pass
