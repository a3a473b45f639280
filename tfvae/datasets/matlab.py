"""Arrays of MATLAB files."""

import os


def read(path, name):
    """The array of a name in a MATLAB file.

    Raises:
        FileNotFoundError: Where there is no such file.
        ValueError: Where it cannot be read or has no such array.
    """
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
