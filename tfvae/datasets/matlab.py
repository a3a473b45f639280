"""Arrays from MATLAB files."""

import os

import numpy as np


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
