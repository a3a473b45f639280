"""The folder of a page: its own files, LiteRT.js, models and their manifest."""

import json
import pathlib
import shutil

from tfvae import checks, files
from tfvae.web import models, runtime

PAGE = (".html", ".css", ".js")


def build(folder, subjects, node_modules=None):
    """Writes a static page with models that run in it.

    The folder needs no server but one that serves files: `models.json` lists the
    models, each a `.tflite` file of fixed batch with its sha256, which the page checks.

    Args:
        folder: A folder that is empty or not there, or one with such a page.
        subjects: Dict of `Subject` by the name that the page shows.
        node_modules: Folder in which npm has installed `@litertjs/core`; left out it is
            installed once, to the user's cache.

    Returns:
        The `pathlib.Path` of the folder.

    Raises:
        ValueError: Where the folder holds something else, `node_modules` lacks a file,
            or a model is not of images, or not of x alone or x given labels.
        RuntimeError: Where npm is missing or fails, or TFLite lacks an operator.
    """
    folder = pathlib.Path(folder)
    if folder.is_file() or (any(folder.glob("[!.]*")) and not _is_page(folder)):
        checks.fail("a new or empty folder, or one with such a page", out=str(folder))
    for subject in subjects.values():
        models.check(subject.model)
    place = runtime.find(node_modules)
    with files.scratch(folder) as scratch:
        entries = [models.entry(scratch, *item) for item in subjects.items()]
        for file in runtime.FILES:
            target = scratch / "runtime/@litertjs" / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place / "@litertjs" / file, target)
        for file in runtime.page().iterdir():
            if file.suffix in PAGE:
                shutil.copyfile(file, scratch / file.name)
        manifest = json.dumps({"models": entries})
        (scratch / "models.json").write_text(manifest + "\n")
        for part in list(scratch.iterdir()):
            runtime.replace(part, folder / part.name)
    return folder


def _is_page(folder):
    return (folder / "models.json").is_file() and (folder / "index.html").is_file()
