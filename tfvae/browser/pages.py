"""The folder of a page: its own files, LiteRT.js, models and their manifest."""

import json
import os
import pathlib
import shutil
from collections.abc import Mapping

from tfvae import checks, files
from tfvae.browser import models, runtime

SUFFIXES = (".html", ".css", ".js")


def build(
    folder: str | os.PathLike[str],
    subjects: Mapping[str, models.Subject],
    node_modules: str | os.PathLike[str] | None = None,
) -> pathlib.Path:
    """Writes a static page that runs models in the browser.

    Any server of static files can serve the folder. Its `models.json` lists the models:
    `.tflite` files with a batch of one, whose SHA-256 the page checks.

    Args:
        folder: A folder that is empty, missing, or holds such a page.
        subjects: Models by the name that the page shows, each a `Subject`.
        node_modules: As in `runtime.find`.

    Returns:
        The path of the folder.

    Raises:
        ValueError: The folder holds something else, `node_modules` lacks a file, or a
            model is not a model of images, or takes more than labels beside x.
        RuntimeError: npm is missing or fails, or TFLite lacks an operator.
    """
    folder = pathlib.Path(folder)
    if folder.is_file() or (any(folder.glob("[!.]*")) and not _is_page(folder)):
        checks.fail("a new or empty folder, or one with such a page", out=str(folder))
    for subject in subjects.values():
        models.check(subject.model)
    place = runtime.find(node_modules)
    with files.scratch(folder) as scratch:
        entries = [models.entry(scratch, *item) for item in subjects.items()]
        for name in runtime.FILES:
            target = scratch / "runtime/@litertjs" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place / "@litertjs" / name, target)
        for file in runtime.PAGE.iterdir():
            if file.suffix in SUFFIXES:
                shutil.copyfile(file, scratch / file.name)
        manifest = json.dumps({"models": entries})
        (scratch / "models.json").write_text(manifest + "\n")
        files.replace({part: folder / part.name for part in scratch.iterdir()})
    return folder


def _is_page(folder: pathlib.Path) -> bool:
    return (folder / "models.json").is_file() and (folder / "index.html").is_file()
