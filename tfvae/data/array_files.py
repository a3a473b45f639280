"""Arrays in `.npz` and `.npy` files, read at once or where they lie."""

import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae import checks
from tfvae.data.sources import (
    FIRST,
    Arrays,
    Fractions,
    Lazy,
    Location,
    Source,
    by_name,
    check_kinds,
    checked_labels,
    cut,
    fits,
    from_arrays,
    peak,
    refuse,
    specs_of,
    values,
)


def from_npz(path: Location, **options: Any) -> Source:
    """Reads an `.npz` file of plain arrays, a batch at a time if it is large.

    The `options` are those of `from_arrays`. What is compressed is read at once.
    """
    path = Path(path).expanduser()
    try:
        with zipfile.ZipFile(path) as file:
            members = file.infolist()
        is_stored = all(m.compress_type == zipfile.ZIP_STORED for m in members)
        if is_stored and not fits(sum(member.file_size for member in members)):
            maps = {m.filename.removesuffix(".npy"): _mapped(path, m) for m in members}
            return _from_maps(maps, **options)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            "`source` must be an .npz file of plain arrays, without pickled objects. "
            f"Received: {path} ({error})."
        ) from error
    return from_arrays(arrays, **options)


def from_npy(path: Location, *, labels: bool, fractions: Fractions) -> Source:
    """Reads one array from an `.npy` file, a batch at a time."""
    try:
        x = np.load(Path(path).expanduser(), mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(
            "`source` must be an .npy file of one plain array. "
            f"Received: {path} ({error})."
        ) from error
    if not x.ndim:
        refuse("hold an array with a row for each example", "a single number")
    if labels:
        checks.fail("False: an .npy file has none", labels=labels)
    return _from_maps({"x": x}, labels=labels, fractions=fractions)


def _mapped(path: Path, member: zipfile.ZipInfo) -> np.ndarray:
    """An array of an `.npz` file, left where it lies."""
    with path.open("rb") as file:
        file.seek(member.header_offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))
        file.seek(member.header_offset + 30 + name + extra)
        version = np.lib.format.read_magic(file)
        of_version = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
        shape, fortran, dtype = of_version(file)
        if dtype.hasobject:
            raise ValueError("an array of objects")
        order = "F" if fortran else "C"
        return np.memmap(path, dtype, "r", file.tell(), shape, order)


def _take(x: np.memmap, rows: np.ndarray) -> np.ndarray:
    """Rows of an array in a file; those of a mapped one would stay in memory."""
    if not x.flags.c_contiguous:
        return np.array(x[rows])
    some = np.empty((len(rows), *x.shape[1:]), x.dtype)
    size = some[:1].nbytes
    with open(x.filename, "rb", buffering=0) as file:
        for row, into in zip(rows.tolist(), some.reshape(len(rows), -1), strict=True):
            file.seek(x.offset + row * size)
            file.readinto(into.view("uint8"))
    return some


def _from_maps(maps: Arrays, *, labels: bool, fractions: Fractions) -> Source:
    """Examples of arrays in files; their kind is known by the first of each."""
    arrays, targets = by_name(maps)
    names = list(arrays)
    firsts = {name: values(x[:FIRST]) for name, x in arrays.items()}
    check_kinds(firsts)
    for x in arrays.values():
        if x.dtype.kind in "biu" and x.dtype.itemsize > 1:
            hint = "Save it with .astype('uint8')"
            expected = "hold floats, or integers of one byte"
            refuse(expected, f"dtype {x.dtype}. {hint}")
    kind, shape = firsts[names[0]].dtype, firsts[names[0]].shape[1:]

    def read(
        array: np.ndarray, rows: np.ndarray, *label: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        x = _take(arrays[names[array[0]]], rows)
        return x.astype(kind).reshape(-1, *shape), *label

    rows = {
        name: (np.full(len(x), i), np.arange(len(x)))
        + ((checked_labels(targets.get(name), len(x)),) if labels else ())
        for i, (name, x) in enumerate(arrays.items())
    }
    specs = specs_of(tf.TensorSpec(shape, kind), *[()] * labels)
    splits = {name: Lazy(r, read, specs) for name, r in cut(rows, fractions).items()}
    guess = peak(firsts.values()) if kind == np.uint8 else None
    return Source(splits, guess, is_guess=True)
