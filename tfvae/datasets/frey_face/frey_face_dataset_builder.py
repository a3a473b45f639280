"""TFDS builder for the Frey Face set, from the user's copy of the original file."""

import hashlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from tfvae.datasets import matlab
from tfvae.datasets.matlab import Example

_FILE = "frey_rawface.mat"
_SHAPE = (1965, 28, 20)
# Checksum for the frames, not for the file: copies differ in their header.
_SHA256 = "2438ba4f0d2a6bd8bac43de756141eaa33c8d248dd613d464bdb1210d9b7af78"


class Builder(tfds.core.GeneratorBasedBuilder):
    """1,965 grey video frames of one face, 28 x 20, without official splits.

    An example has `image`, uint8 `[28, 20, 1]`, and `frame`, its int64 place in the
    video, as TFDS changes the order. The frame is the label for `as_supervised`.

    References:
        Roweis, Saul, Hinton. "Global Coordination of Local Linear Models", 2001.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        f"Get {_FILE} from the data page of Sam Roweis and put it into the folder."
    )

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(*_SHAPE[1:], 1)),
            "frame": tfds.features.Scalar(dtype=np.int64),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description="1,965 frames of Brendan Frey's face from a video, 28 x 20.",
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "frame"),
            homepage="https://cs.nyu.edu/~roweis/data.html",
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[Example]]:
        frames = read_frames(dl_manager.manual_dir / _FILE)
        return {"train": self._generate_examples(frames)}

    def _generate_examples(self, frames: np.ndarray) -> Iterator[Example]:
        for index, frame in enumerate(frames):
            yield index, {"image": frame[..., None], "frame": index}


def read_frames(path: str | os.PathLike[str]) -> np.ndarray:
    """Returns the frames of `frey_rawface.mat`, uint8 `[1965, 28, 20]`, verified.

    The array `ff` of the file is `[560, 1965]`, a frame in each column.
    """
    frames = np.ascontiguousarray(matlab.read(path, "ff").T)
    digest = hashlib.sha256(frames.tobytes()).hexdigest()
    if digest != _SHA256:
        raise ValueError(
            f"{path} must hold the frames with sha256 {_SHA256}. Received: `ff` of "
            f"shape {list(frames.T.shape)} and dtype {frames.dtype}, sha256 {digest}."
        )
    return frames.reshape(_SHAPE)
