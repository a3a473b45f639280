"""Arrays from MATLAB files."""

import os
from typing import Any

import numpy as np

# Key and features of an example for TFDS.
Example = tuple[int, dict[str, Any]]


def read(path: str | os.PathLike[str], name: str) -> np.ndarray:
    """Returns the array of this name in a MATLAB file."""
    import scipy.io

    if not os.path.exists(path):
        file = os.path.basename(path)
        raise FileNotFoundError(f"`manual_dir` must hold {file}. Missing: {path}.")
    try:
        return scipy.io.loadmat(os.fspath(path))[name]
    except (ValueError, TypeError, NotImplementedError, KeyError, OSError) as error:
        raise ValueError(
            f"{path} must be a MATLAB file with an array `{name}`. Received: {error}."
        ) from error
