"""The command line: list, train, evaluate, sample, export."""

import contextlib
import os
import pathlib
import signal
import sys
import typing

import keras
import rich.console
import rich.progress
import rich.table
import typer

import tfvae
from tfvae import presets, runs

app = typer.Typer(
    add_completion=False,
    help="Variational autoencoders in Keras: train, evaluate, sample and export.",
    pretty_exceptions_enable=False,
)
console = rich.console.Console()

RunFolder = typing.Annotated[
    pathlib.Path, typer.Argument(help="Folder of a run, as `tfvae train` wrote it.")
]


def _print_version(asked: bool):
    if asked:
        print(tfvae.__version__)
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: typing.Annotated[
        bool,
        typer.Option("--version", callback=_print_version, help="Show the version."),
    ] = False,
    debug: typing.Annotated[
        bool, typer.Option("--debug", help="Show tracebacks and TensorFlow's messages.")
    ] = False,
):
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(2)


@app.command("list")
def list_presets():
    """List the presets: data, model and what they reached."""
    table = rich.table.Table("preset", "what it is", "settings")
    for name, preset in presets.PRESETS.items():
        settings = ", ".join(f"{k}={v}" for k, v in preset.model.items())
        mark = " (default)" if name == presets.DEFAULT else ""
        table.add_row(name + mark, preset.summary, settings)
    console.print(table)


@app.command()
def train(
    preset: typing.Annotated[str, typer.Argument(help="See `tfvae list`.")] = (
        presets.DEFAULT
    ),
    data: typing.Annotated[
        str | None, typer.Option(help="Another data set, .npz file or image folder.")
    ] = None,
    manual_dir: typing.Annotated[
        str | None, typer.Option(help="Folder of original files already downloaded.")
    ] = None,
    epochs: typing.Annotated[
        int | None, typer.Option(min=1, help="Epochs at most.")
    ] = None,
    seed: typing.Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    set_: typing.Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a setting; repeatable."
        ),
    ] = None,
    out: typing.Annotated[
        pathlib.Path | None, typer.Option(help="Run folder. Default: runs/PRESET.")
    ] = None,
    force: typing.Annotated[
        bool, typer.Option("--force", help="Replace a run that is there.")
    ] = False,
    resume: typing.Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the folder.")
    ] = False,
    samples: typing.Annotated[
        int, typer.Option(min=1, help="Importance samples for log p(x).")
    ] = 100,
):
    """Train a preset, then evaluate, picture and export it."""
    config = presets.configure(preset, set_ or (), data)
    config["training"]["seed"] = seed
    if manual_dir is not None:
        config["data"]["manual_dir"] = str(pathlib.Path(manual_dir).resolve())
    folder = out or pathlib.Path("runs") / preset
    run = runs.Run(folder) if resume else runs.create(folder, config, force)
    if epochs is not None:
        config = run.config if resume else config
        config["training"]["epochs"] = epochs
        run.write("config.json", config)
    _train(run)
    _report(run, samples)
    _paths([run.model_file, *runs.draw(run), *runs.export_models(run)])


@app.command()
def evaluate(
    run: RunFolder,
    samples: typing.Annotated[
        int, typer.Option(min=1, help="Importance samples for log p(x).")
    ] = 1000,
):
    """Evaluate a run on its whole test split."""
    _report(_trained(run), samples)


@app.command()
def sample(
    run: RunFolder,
    num: typing.Annotated[int, typer.Option(min=1, help="Number of samples.")] = 64,
    seed: typing.Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    out: typing.Annotated[
        pathlib.Path | None, typer.Option(help="Picture. Default: samples.png there.")
    ] = None,
):
    """Draw samples of a run as a picture."""
    _paths([runs.sample(_trained(run), num, seed, out or run / "samples.png")])


@app.command()
def export(
    run: RunFolder,
    savedmodel: typing.Annotated[
        pathlib.Path | None, typer.Option(help="Folder of SavedModel versions.")
    ] = None,
    tflite: typing.Annotated[
        pathlib.Path | None, typer.Option(help="File for TFLite.")
    ] = None,
):
    """Export a run as the next SavedModel version and as a TFLite file."""
    _paths(runs.export_models(_trained(run), savedmodel, tflite))


def main():
    """Runs the command line and exits with its code."""
    debug = "--debug" in sys.argv
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with contextlib.nullcontext() if debug else _quiet():
            sys.exit(app(standalone_mode=False) or 0)
    except KeyboardInterrupt:
        sys.exit(_fail("Interrupted.", 130))
    except BrokenPipeError:  # a reader such as `head` has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        sys.exit(_fail(*_explain(error)))


def _explain(error):
    """A line about an error, and the exit code: 2 for wrong use, else 1."""
    if hasattr(error, "format_message"):  # typer's own
        return error.format_message(), error.exit_code
    usage = isinstance(error, (ValueError, TypeError, FileNotFoundError))
    return str(error) or type(error).__name__, 2 if usage else 1


def _fail(message, code):
    print("Error:", " ".join(message.split()), file=sys.stderr)
    return code


@contextlib.contextmanager
def _quiet():
    """Lets Python write to stderr, but none of TensorFlow's C++ code."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    sys.stderr = os.fdopen(os.dup(kept), "w", buffering=1)
    try:
        yield
    finally:
        os.dup2(kept, 2)


def _trained(path):
    run = runs.Run(path)
    if run.config and not run.model_file.exists():
        raise ValueError(
            f"`run` has no trained model yet. Received: run={str(path)!r}."
        )
    return run


class _Progress(keras.callbacks.Callback):
    """One line that tells epoch, bound on train and validation data, and time left."""

    def __init__(self, bar):
        super().__init__()
        self.bar = bar

    def on_train_begin(self, logs=None):
        self.task = self.bar.add_task("training", total=self.params["epochs"])

    def on_epoch_end(self, epoch, logs=None):
        text = f"elbo {logs['elbo']:.2f}  val_elbo {logs['val_elbo']:.2f} nats"
        self.bar.update(self.task, completed=epoch + 1, description=text)


def _train(run):
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeElapsedColumn(),
    )
    with rich.progress.Progress(*columns, console=console) as bar:
        history = runs.train(run, [_Progress(bar)])
    best = max(history, key=lambda row: row["val_elbo"])
    console.print(
        f"Trained {len(history)} epochs; best val_elbo {best['val_elbo']:.2f} nats "
        f"in epoch {int(best['epoch'])}."
    )


def _report(run, num_samples):
    figures = runs.evaluate(run, num_samples)
    table = rich.table.Table("figure", "value", title=f"Test figures of {run.path}")
    for name, value in figures.items():
        shown = f"{value:.3f}" if isinstance(value, float) else str(value)
        table.add_row(name, shown)
    console.print(table)


def _paths(paths):
    console.print("Wrote:")
    for path in paths:
        print(f"  {path}")
