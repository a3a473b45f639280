"""TFDS builder for the Olivetti faces, from the user's copy of the original file."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from tfvae.datasets import matlab
from tfvae.datasets.matlab import Example

_FILE = "olivettifaces.mat"
_PEOPLE, _EACH, _SIZE = 40, 10, 64
# The last people, whose faces are the test split.
_HELD_OUT = 10
# Ranges of the images with glasses, the usual ones for these data: Moncecchi, Garreta,
# "Learning scikit-learn", 2013.
_GLASSES = [(10, 20), (30, 33), (37, 39), (50, 60), (63, 65), (69, 70), (120, 122)]
_GLASSES += [(124, 140), (160, 162), (164, 170), (180, 183), (185, 186), (189, 193)]
_GLASSES += [(194, 195), (196, 200), (260, 280), (300, 310), (330, 340), (358, 370)]


class Builder(tfds.core.GeneratorBasedBuilder):
    """400 grey faces of 40 people, 64 x 64: 30 people in train, 10 others in test.

    An example has `image`, uint8 `[64, 64, 1]`, `glasses`, 0 or 1, the label for
    `as_supervised`, and `subject`, the number of the person.

    References:
        Samaria, Harter. "Parameterisation of a stochastic model for human face
        identification", 1994. Faces of AT&T Laboratories Cambridge.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        f"Get {_FILE} from the data page of Sam Roweis or, as scikit-learn does, from "
        "https://ndownloader.figshare.com/files/5976027 and put it into the folder."
    )

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(_SIZE, _SIZE, 1)),
            "glasses": tfds.features.ClassLabel(names=["without", "with"]),
            "subject": tfds.features.ClassLabel(num_classes=_PEOPLE),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description="Ten pictures of each of 40 people, 64 x 64, grey.",
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "glasses"),
            homepage="https://cs.nyu.edu/~roweis/data.html",
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[Example]]:
        images = read_images(dl_manager.manual_dir / _FILE)
        cut = (_PEOPLE - _HELD_OUT) * _EACH
        return {
            "train": self._generate_examples(images, range(cut)),
            "test": self._generate_examples(images, range(cut, len(images))),
        }

    def _generate_examples(self, images: np.ndarray, rows: range) -> Iterator[Example]:
        glasses = np.zeros(len(images), int)
        for start, stop in _GLASSES:
            glasses[start:stop] = 1
        for i in rows:
            labels = {"glasses": glasses[i], "subject": i // _EACH}
            yield i, {"image": images[i][..., None], **labels}


def read_images(path: str | os.PathLike[str]) -> np.ndarray:
    """Returns the images of `olivettifaces.mat`, uint8 `[400, 64, 64]`.

    The array `faces` of the file is `[4096, 400]`, an image in each column. Copies of
    the file differ in some pixels by one grey level, so there is no checksum.
    """
    columns, count = matlab.read(path, "faces"), _PEOPLE * _EACH
    if columns.shape != (_SIZE**2, count) or columns.dtype.kind not in "uif":
        raise ValueError(
            f"{path} must hold `faces` of shape [{_SIZE**2}, {count}]. Received: shape "
            f"{list(columns.shape)}, dtype {columns.dtype}."
        )
    images = columns.T.reshape(count, _SIZE, _SIZE).transpose(0, 2, 1)
    return np.ascontiguousarray(images).astype(np.uint8)
