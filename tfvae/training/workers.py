"""The workers of a `tf.distribute` strategy: who they are, and whether they agree."""

import contextlib
import functools
import json
import os
import zlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae import checks
from tfvae.data.parts import Part

# Strategies that hold a copy of each variable for each replica.
MIRRORED = (tf.distribute.MirroredStrategy, tf.distribute.MultiWorkerMirroredStrategy)
# The strategy of one process that has none.
ALONE = tf.distribute.get_strategy()


@contextlib.contextmanager
def clear_errors() -> Iterator[None]:
    """Says what an error of TensorFlow's collective operations means."""
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
        raise RuntimeError(
            "Training stopped: another worker is gone. Start all workers again; with "
            "BackupAndRestore, or `tfvae train --resume`, they go on from the last "
            f"epoch. TensorFlow says: {str(error)[:200]}"
        ) from error
    except tf.errors.InternalError as error:
        raise RuntimeError(
            "Training stopped: the workers do not run the same code. "
            f"TensorFlow says: {str(error)[:200]}"
        ) from error


def part_of(model: keras.Model) -> Part | None:
    """The part of each batch that this worker has; None where nothing is shared."""
    strategy = model.made_under
    if not isinstance(strategy, MIRRORED):
        return None
    index, num_workers = worker_of(strategy)
    return Part(index, num_workers, strategy.num_replicas_in_sync)


@functools.cache
def cluster() -> tf.distribute.Strategy | None:
    """The strategy of the workers in the environment's TF_CONFIG; None for one worker.

    It has to be called before TensorFlow does anything else.

    Raises:
        ValueError: If TF_CONFIG is not JSON, or names no such worker.
    """
    text = os.environ.get("TF_CONFIG")
    if not text:
        return None
    try:
        config = json.loads(text)
        jobs, task = config["cluster"], config["task"]
        jobs[task["type"]][int(task["index"])]
    except (ValueError, KeyError, IndexError, TypeError):
        checks.fail("JSON whose task is one of its cluster's", TF_CONFIG=text)
    if sum(map(len, jobs.values())) < 2:
        return None
    return tf.distribute.MultiWorkerMirroredStrategy()


def worker_of(strategy: tf.distribute.Strategy | None) -> tuple[int, int]:
    """Number of this worker, 0 for the chief, and number of workers."""
    resolver = getattr(strategy, "cluster_resolver", None)
    jobs = resolver.cluster_spec().as_dict() if resolver else {}
    counts = {name: len(jobs.get(name, ())) for name in ("chief", "worker")}
    if not any(counts.values()):
        return 0, 1
    before = counts["chief"] if resolver.task_type == "worker" else 0
    return before + (resolver.task_id or 0), sum(counts.values())


def scope_of(model: keras.Model) -> contextlib.AbstractContextManager:
    """The scope of the strategy whose replicas share a model, or no scope."""
    return model.made_under.scope() if part_of(model) else contextlib.nullcontext()


def check_workers(model: keras.Model, /, **values: Any) -> None:
    """Raises on every worker if a value is not the same on all of them.

    Args:
        model: A model; nothing is done if one worker has it alone.
        **values: What the workers compare, by name: bytes, or what has a short `repr`.
    """
    if worker_of(model.made_under)[1] == 1:
        return
    contents = [
        v if isinstance(v, bytes) else repr(v).encode() for v in values.values()
    ]
    checksums = tf.constant([list(map(zlib.crc32, contents))], tf.int64)
    strategy = model.made_under
    collect = tf.function(
        lambda: strategy.gather(strategy.run(lambda: checksums), axis=0),
        autograph=False,
    )
    with strategy.scope(), clear_errors():
        found = collect().numpy()
    for (name, value), column in zip(values.items(), found.T, strict=True):
        if len(set(column)) > 1:
            here = "" if isinstance(value, bytes) else f"{value!r} here, "
            received = f"{here}checksums {column.tolist()}"
            checks.fail("the same on all workers", **{name: received})


def first_rows(arrays: Any) -> bytes:
    """Shapes of arrays and their first 128 rows, for `check_workers`."""
    arrays = [np.asarray(x) for x in tf.nest.flatten(arrays)]
    return b"".join(x[:128].tobytes() + str(x.shape).encode() for x in arrays)
