"""The shares of workers and replicas in each batch."""

from typing import Any, NamedTuple

import tensorflow as tf


class Part(NamedTuple):
    """The share of a worker in each batch, which the replicas of all workers share.

    Attributes:
        index: Number of the worker.
        num_workers: Number of workers, with as many replicas each.
        num_replicas: Number of replicas of all workers.
    """

    index: int
    num_workers: int
    num_replicas: int

    def of(self, num_rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Numbers of the first row and of the one after the last, in a batch."""
        here = self.num_replicas // self.num_workers
        bounds = self.index * here, (self.index + 1) * here - 1
        first, _ = rows_of_replica(bounds[0], self.num_replicas, num_rows)
        _, stop = rows_of_replica(bounds[1], self.num_replicas, num_rows)
        return first, stop

    def take(self, batch: Any) -> tuple[tf.Tensor, Any]:
        """The place of the share, int32 `[2]` of first row and batch size; its rows."""
        num_rows = tf.shape(tf.nest.flatten(batch)[0])[0]
        first, stop = self.of(num_rows)
        rows = tf.nest.map_structure(lambda x: x[first:stop], batch)
        return tf.stack([first, num_rows]), rows


def rows_of_replica(
    replica: int | tf.Tensor, num_replicas: int, num_rows: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """First row of a replica in a batch, and the one after its last; may be none."""
    size = -(-num_rows // num_replicas)
    first = tf.minimum(replica * size, num_rows)
    return first, tf.minimum(first + size, num_rows)
