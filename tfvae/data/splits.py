"""Raw examples and how they are cut where a source has no official splits."""

from typing import Any, NamedTuple

import numpy as np

from tfvae import checks

NAMES = ("train", "valid", "test")


class Source(NamedTuple):
    """Raw examples of a data set, before scaling, noise and batches.

    Attributes:
        splits: For train, valid and test either a tuple of arrays or a
            `tf.data.Dataset` of such tuples: `(x,)` or `(x, label)`.
        peak: Raw value that stands for 1 (the values are integers from 0 to `peak`),
            or `None` where values are floats to be used as they are.
    """

    splits: dict[str, Any]
    peak: int | None


class Fractions(NamedTuple):
    """Shares of the training examples for splits that a source lacks.

    Attributes:
        valid: Share of what `test` leaves.
        test: Share of all training examples.
    """

    valid: float
    test: float

    def spans(self, count, official=()):
        """Returns `{name: (start, stop)}` for the splits to cut, last ones for test.

        Args:
            count: Number of training examples.
            official: Names of the splits the source has itself.

        Raises:
            ValueError: Where a split would be empty.
        """
        rest = count if "test" in official else count - round(count * self.test)
        kept = rest if "valid" in official else rest - round(rest * self.valid)
        spans = {"train": (0, kept), "valid": (kept, rest), "test": (rest, count)}
        needed = {k: v for k, v in spans.items() if k == "train" or k not in official}
        if any(start == stop for start, stop in needed.values()):
            raise ValueError(
                "`validation_fraction` and `test_fraction` must leave examples in "
                f"every split. Received: {self.valid:.4g} and {self.test:.4g} of "
                f"{count} examples."
            )
        return needed


def check_fractions(validation_fraction, test_fraction):
    """Returns `Fractions` of two numbers from 0 to 1."""
    bounds = {"minimum": 0, "maximum": 1}
    return Fractions(
        checks.number(**bounds, validation_fraction=validation_fraction),
        checks.number(**bounds, test_fraction=test_fraction),
    )


def cut(examples, fractions):
    """Returns train, valid and test of a dict of tuples of arrays.

    Args:
        examples: Tuples of arrays under official names, "train" among them, or all of
            them under "all".
        fractions: `Fractions` for the splits that are not there.
    """
    if "all" in examples:
        # A fixed order: files are often sorted by class, and runs with several seeds
        # compare on one test set only.
        order = np.random.default_rng(0).permutation(len(examples["all"][0]))
        examples = {"train": tuple(part[order] for part in examples["all"])}
    train = examples["train"]
    spans = fractions.spans(len(train[0]), examples)
    parts = {k: tuple(x[slice(*span)] for x in train) for k, span in spans.items()}
    return {**examples, **parts}
