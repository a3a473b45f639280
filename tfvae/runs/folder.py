"""The folder of a run: its files, one trainer at a time, and seals of checkpoints."""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import platform
from collections.abc import Iterator

import keras

from tfvae import checks, files
from tfvae.runs.config import Config, read


@dataclasses.dataclass(frozen=True)
class Run:
    """The files of a run, below one folder."""

    path: pathlib.Path

    @property
    def config(self) -> Config:
        """The configuration, as `configure` gives it."""
        return read(self.path / "config.json")

    @property
    def model_file(self) -> pathlib.Path:
        """The best model so far."""
        return self.path / "model.keras"

    @property
    def history(self) -> pathlib.Path:
        """The table of epochs."""
        return self.path / "history.csv"

    @property
    def checkpoints(self) -> list[pathlib.Path]:
        """Models to resume training from, the newest last."""
        return sorted(self.path.glob("checkpoint-*.keras"))

    def write(self, name: str, text: str) -> pathlib.Path:
        """Writes a file of the run, whole or not at all; returns its path."""
        return files.whole(self.path / name, lambda path: path.write_text(text + "\n"))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps the folder from other trainers; raises if one is at work in it."""
        import filelock

        self.path.mkdir(parents=True, exist_ok=True)
        owner = self.path / ".trainer"
        lock = filelock.FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            first = owner.read_text().strip() if owner.exists() else "another process"
            expected = f"a folder in which nothing trains: {first} does"
            checks.fail(expected, out=str(self.path))
        try:
            files.clear_scratch(self.path)
            owner.write_text(f"process {os.getpid()} on {platform.node()}\n")
            yield
        finally:
            owner.unlink(missing_ok=True)
            lock.release()

    def save_checkpoint(self, model: keras.Model, epoch: int, config: Config) -> None:
        """Writes a checkpoint and its seal; deletes all but the last two."""
        name = f"checkpoint-{epoch:06}.keras"
        with files.scratch(self.path) as scratch:
            model.save(scratch / name)
            seal = scratch / f"{name}.json"
            sums = self._sums(scratch / name, epoch, config)
            seal.write_text(json.dumps(sums, indent=2) + "\n")
            moves = [seal, scratch / name]  # the checkpoint last
            files.replace({file: self.path / file.name for file in moves})
        files.sync(self.path)
        for file in self.checkpoints[:-2]:
            file.unlink()
            file.with_name(f"{file.name}.json").unlink(missing_ok=True)

    def check_seal(self, checkpoint: pathlib.Path, epoch: int, config: Config) -> None:
        """Raises a ValueError if a file is not what the checkpoint was saved with.

        Args:
            checkpoint: One of the `checkpoints`.
            epoch: Its epoch.
            config: The configuration, of which only `epochs` may have changed.
        """
        seal = checkpoint.with_name(f"{checkpoint.name}.json")
        try:
            wanted = json.loads(seal.read_text())
        except (OSError, ValueError):
            wanted = {}
        for name, value in self._sums(checkpoint, epoch, config).items():
            if wanted.get(name) != value:
                hint = "Put the old file back, or start anew with --force."
                expected = f"a folder whose {name} is as {seal.name} says"
                checks.fail(expected, hint=hint, run=str(self.path))

    def _sums(
        self, checkpoint: pathlib.Path, epoch: int, config: Config
    ) -> dict[str, str]:
        """SHA-256 of a checkpoint, of the history until it, of its configuration."""
        fixed = config | {"training": config["training"] | {"epochs": None}}
        rows = self.history.read_text().splitlines()[: epoch + 1]
        texts = {
            "config.json": json.dumps(fixed, sort_keys=True),
            "history.csv": "\n".join(rows),
        }
        sums = {k: hashlib.sha256(v.encode()).hexdigest() for k, v in texts.items()}
        return {checkpoint.name: files.sha256(checkpoint), **sums}
