"""LiteRT.js for a page: in a given folder, or installed by npm once."""

import json
import os
import pathlib
import shutil
import subprocess

from tfvae import checks, files

# The page's own files.
PAGE = pathlib.Path(__file__).parent / "page"
# Files of LiteRT.js below `node_modules/@litertjs`: those that the page loads, and
# package.json for the licence. The builds for threads and for WebGPU are left out.
FILES = [
    *(
        f"{p}/{f}"
        for p in ("core", "wasm-utils")
        for f in ("package.json", "dist/index.js")
    ),
    *(
        f"core/wasm/litert_wasm_{kind}internal.{end}"
        for kind in ("", "compat_")  # with relaxed SIMD instructions, and without
        for end in ("js", "wasm")
    ),
]


def find(node_modules: str | os.PathLike[str] | None = None) -> pathlib.Path:
    """Returns a folder `node_modules` with LiteRT.js.

    Args:
        node_modules: A folder that npm has installed to. If None, npm installs
            LiteRT.js to the user's cache, once.

    Raises:
        ValueError: The given folder lacks a file, or has another version.
        RuntimeError: npm is missing or fails.
    """
    package = PAGE / "package.json"
    version = json.loads(package.read_text())["dependencies"]["@litertjs/core"]
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    folder = pathlib.Path(node_modules or cache / f"tfvae/litertjs-{version}")
    if _has(folder, version):
        return folder
    if node_modules:
        hint = f"Run `npm install --ignore-scripts @litertjs/core@{version}`."
        expected = f"a folder with all of @litertjs/core {version}"
        checks.fail(expected, hint=hint, node_modules=str(folder))
    with files.scratch(folder.parent) as scratch:
        _install(package, scratch)
        if not _has(folder, version):  # no other process was faster
            files.replace({scratch / "node_modules": folder})
    return folder


def _has(node_modules: pathlib.Path, version: str) -> bool:
    """True if the folder has all files of this version."""
    package, *others = (node_modules / "@litertjs" / name for name in FILES)
    if not all(file.is_file() for file in (package, *others)):
        return False
    return json.loads(package.read_text())["version"] == version


def _install(package: pathlib.Path, folder: pathlib.Path) -> None:
    """Installs the dependencies of a package.json below a folder, by npm."""
    advice = "or give a folder that has it: --node-modules DIR."
    npm = shutil.which("npm")
    if not npm:
        raise RuntimeError(
            f"LiteRT.js comes by npm, which is missing: install it, {advice}"
        )
    shutil.copy(package, folder)
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
    command = [npm, "install", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        reason = " ".join(done.stderr.split())[-400:]
        raise RuntimeError(
            f"npm did not install LiteRT.js: try again, {advice} {reason}"
        )
