"""Runs session_loader.c, which loads a SavedModel as TensorFlow Serving does."""

import pathlib
import shutil
import struct
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

RECORD = struct.Struct("256s4i8q")  # `struct record` of session_loader.c


def program(folder):
    """Compiles the loader into a folder; skips the test where that is impossible."""
    root = pathlib.Path(tf.__file__).parent
    libraries = [root / f"libtensorflow_{name}.so.2" for name in ("cc", "framework")]
    if not shutil.which("gcc") or not all(library.exists() for library in libraries):
        pytest.skip("the session loader needs gcc and the libraries of TensorFlow")
    source = pathlib.Path(__file__).with_suffix(".c")
    flags = ["-Wall", "-Werror", f"-I{root / 'include'}", f"-Wl,-rpath,{root}"]
    if shutil.which("ld.gold"):  # links a library of 1 GB in a quarter of the time
        flags.append("-fuse-ld=gold")
    target = folder / "session_loader"
    subprocess.run(["gcc", *flags, source, *libraries, "-o", target], check=True)
    return target


class Served(subprocess.Popen):
    """A process of the loader that answers requests to one SavedModel."""

    def __init__(self, program, path):
        pipe = subprocess.PIPE
        super().__init__([program, path], stdin=pipe, stdout=pipe)
        file = (path / "saved_model.pb").read_bytes()
        self.meta_graph = saved_model_pb2.SavedModel.FromString(file).meta_graphs[0]
        self.path = path

    def ask(self, name, **inputs):
        """The outputs of a signature, as a dict of arrays by name."""
        definition = self.meta_graph.signature_def[name]
        self.stdin.write(_pack(definition, inputs))
        self.stdin.flush()
        return {key: self._read() for key in definition.outputs}

    def ops(self):
        """Names of every operator in the graph and its functions."""
        graph = self.meta_graph.graph_def
        parts = [graph.node, *(f.node_def for f in graph.library.function)]
        return {node.op for part in parts for node in part}

    def _read(self):
        header = self.stdout.read(RECORD.size)
        assert header, "the session loader has failed: see its stderr"
        _, _, dtype, rank, _, *dims = RECORD.unpack(header)
        dtype, shape = np.dtype(tf.as_dtype(dtype).as_numpy_dtype), dims[:rank]
        size = dtype.itemsize * int(np.prod(shape))
        return np.frombuffer(self.stdout.read(size), dtype).reshape(shape)


def _pack(definition, inputs):
    parts = [struct.pack("2i", len(definition.inputs), len(definition.outputs))]
    for name, info in definition.inputs.items():
        value = np.asarray(inputs[name])
        parts += [_record(info, value.shape), value.tobytes()]
    return b"".join([*parts, *map(_record, definition.outputs.values())])


def _record(info, shape=()):
    op, index = info.name.split(":")
    dims = [*shape, *[0] * (8 - len(shape))]
    return RECORD.pack(op.encode(), int(index), info.dtype, len(shape), 0, *dims)
