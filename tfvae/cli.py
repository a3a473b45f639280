"""The command line: list, train, evaluate, sample, export, web."""

import contextlib
import json
import os
import pathlib
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import rich.console
import rich.padding
import rich.progress
import rich.table
import rich.text
import typer

import tfvae
from tfvae import checks
from tfvae.runs import presets, terminal
from tfvae.runs.config import configure

# What brings TensorFlow is imported by the commands that need it, once it is quiet.
if TYPE_CHECKING:
    from tfvae.runs.folder import Run
    from tfvae.runs.training import Training

app = typer.Typer(
    add_completion=False,
    help="Variational autoencoders in Keras: train, evaluate, sample and export.",
    pretty_exceptions_enable=False,
)
console = rich.console.Console()

Place = pathlib.Path | None
Name = str | None
RunFolder = Annotated[pathlib.Path, typer.Argument(help="Folder of a trained run.")]
PresetName = Annotated[
    Name, typer.Argument(help="See `tfvae list`.", show_default=presets.DEFAULT)
]
Source = Annotated[Name, typer.Option(help="Data set, .npz file or image folder.")]
Originals = Annotated[Name, typer.Option(help="Folder of downloaded original files.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Random seed.", show_default="0")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; repeatable."),
]
Out = Annotated[Place, typer.Option(help="Run folder. Default: runs/PRESET.")]
Samples = Annotated[int, typer.Option(min=1, help="Importance samples for log p(x).")]


def _print_version(asked: bool) -> None:
    if asked:
        print(tfvae.__version__)
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, help="Show the version."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks and TensorFlow's messages.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(2)


@app.command("list")
def list_presets() -> None:
    """List the presets: summary, settings for `--set`, and scores."""
    for name, preset in presets.PRESETS.items():
        mark = "(default)" if name == presets.DEFAULT else ""
        console.print(name, mark, style="bold")
        settings = preset.data | preset.model | preset.training
        shown = ", ".join(f"{k}={json.dumps(v)}" for k, v in settings.items())
        for text in filter(None, [preset.summary, shown, preset.score]):
            console.print(rich.padding.Padding.indent(rich.text.Text(text), 4))


@app.command()
def train(
    preset: PresetName = None,
    data: Source = None,
    manual_dir: Originals = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs at most.")] = None,
    seed: Seed = None,
    set_: Changes = None,
    out: Out = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the run in the folder.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the folder.")
    ] = False,
    samples: Samples = 100,
    xla_cache: Annotated[
        bool, typer.Option("--xla-cache", help="Keep compiled programs for later runs.")
    ] = False,
) -> None:
    """Train a preset, evaluate it, draw pictures and export it.

    Where TF_CONFIG names a cluster, each of its workers runs this command; the first
    one writes.
    """
    name = preset or presets.DEFAULT
    presets.get(name)  # an unknown one is answered before TensorFlow is there
    if xla_cache:
        terminal.keep_compiled()
    from tfvae.runs import report, training

    training.cluster()  # the workers of TF_CONFIG meet before TensorFlow does more
    folder = out or pathlib.Path("runs") / name
    changes = {"manual_dir": manual_dir, "seed": seed}
    if resume:
        fixed = {"data": data, "set": set_ or None, "force": force or None}
        _check_same(training.Run(folder), preset, fixed | changes)
        ready = training.resume(folder, epochs)
    else:
        changes |= {"epochs": epochs}
        given = [f"{k}={v}" for k, v in changes.items() if v is not None]
        config = configure(name, [*(set_ or ()), *given], data)
        ready = training.start(folder, config, force)
    _fit(ready)
    if not training.writes():
        return
    run = ready.run
    _report(run, samples)
    _paths([run.model_file, *report.draw(run), *report.export(run)])


@app.command()
def evaluate(run: RunFolder, samples: Samples = 1000) -> None:
    """Evaluate a run on its whole test split."""
    _report(_trained(run), samples)


@app.command()
def sample(
    run: RunFolder,
    num: Annotated[int, typer.Option(min=1, help="Number of samples.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    out: Annotated[
        Place, typer.Option(help="Picture file. Default: samples.png in the run.")
    ] = None,
) -> None:
    """Draw samples of a run as a picture."""
    from tfvae.runs import report

    _paths([report.sample(_trained(run), num, seed, out or run / "samples.png")])


@app.command()
def export(
    run: RunFolder,
    savedmodel: Annotated[
        Place, typer.Option(help="Folder of SavedModel versions.")
    ] = None,
    tflite: Annotated[Place, typer.Option(help="File for TFLite.")] = None,
    quantize: Annotated[
        Name, typer.Option(help="float16, dynamic_range or int8, for --tflite.")
    ] = None,
) -> None:
    """Export a run for TF Serving and for TFLite, or only one of them by an option."""
    from tfvae.runs import report

    _paths(report.export(_trained(run), savedmodel, tflite, quantize))


@app.command("web")
def show_in_browser(
    run: Annotated[
        list[pathlib.Path], typer.Argument(help="Run folders, or published names.")
    ],
    out: Annotated[
        Place, typer.Option(help="Folder of the page. Default: web in the first run.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any.")] = 8000,
    serve: Annotated[bool, typer.Option(help="Serve it to this machine.")] = True,
    node_modules: Annotated[
        Place, typer.Option(help="Folder with LiteRT.js. Default: npm installs it.")
    ] = None,
) -> None:
    """Build a page that runs models in the browser, and serve it on 127.0.0.1."""
    from tfvae import browser

    out = out or (run[0] / "web" if run[0].is_dir() else pathlib.Path("web"))
    folder = browser.build(out, browser.subjects(run), node_modules)
    _paths([folder])
    if serve:
        with browser.server(folder, port) as server:
            print(f"Open http://127.0.0.1:{server.server_port} (stop with Ctrl-C).")
            with contextlib.suppress(SystemExit):  # from the signal handler
                server.serve_forever()


def main() -> None:
    """Runs the command line and exits with its exit code."""
    debug = "--debug" in sys.argv
    code: Any
    terminal.heed(terminal.leave)
    try:
        with contextlib.nullcontext() if debug or not sys.stderr else terminal.quiet():
            code = app(prog_name="tfvae", standalone_mode=False) or 0
            print(end="", flush=True)
    except SystemExit as stop:
        code = stop.code
        if code > 128:
            terminal.say("Error", "interrupted.")
            with contextlib.suppress(OSError):
                print(end="", flush=True)
            os._exit(code)  # TensorFlow's threads may still be at work
    except BrokenPipeError:  # a reader such as `head` has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:
        if debug and not hasattr(error, "format_message"):
            raise
        message, code = terminal.explain(error)
        terminal.say("Error", message)
    sys.exit(code)


def _trained(folder: pathlib.Path) -> "Run":
    from tfvae.runs.training import trained

    return trained(folder)


def _check_same(run: "Run", preset: str | None, options: dict[str, Any]) -> None:
    """Raises an error for options that resuming would ignore."""
    if preset not in (None, run.config["preset"]):
        checks.fail(f"{run.config['preset']!r}, as in the run", preset=preset)
    for key in (key for key, value in options.items() if value is not None):
        checks.fail("left out with --resume", **{key: options[key]})


def _fit(training: "Training") -> None:
    from tfvae.runs.progress import Interrupts, Progress

    columns = ("{task.description}", rich.progress.BarColumn(20))
    counts = (rich.progress.MofNCompleteColumn(), rich.progress.TimeElapsedColumn())
    try:
        with rich.progress.Progress(*columns, *counts, console=console) as bar:
            training.fit([Progress(bar), Interrupts()])
    except SystemExit:
        print(f"Go on with: tfvae train --resume --out {training.run.path}")
        raise
    best = training.history[training.best_epoch - 1]
    kept = f"kept epoch {best['epoch']}"
    if training.monitor:
        bound = best[training.monitor]
        kept = f"best {training.monitor} {bound:.2f} nats in epoch {best['epoch']}"
    print(f"Trained {len(training.history)} of {training.epochs} epochs; {kept}.")


def _report(run: "Run", num_samples: int) -> None:
    from tfvae.runs import report

    figures = report.evaluate(run, num_samples)
    value = rich.table.Column("value", justify="right", no_wrap=True)
    table = rich.table.Table("figure", value, "unit")
    for row in report.rows(figures):
        table.add_row(*row)
    console.print(table, highlight=False)
    where = f"On {figures['test_examples']} test examples in {figures['seconds']:.0f} s"
    if "test_log_marginal" not in figures:
        print(f"{where}.")
        return
    samples = figures.get("importance_samples")
    how = f"from {samples} importance samples each" if samples else "exact for each"
    print(f"{where}; log p(x) ± its standard error, {how}.")


def _paths(paths: Iterable[pathlib.Path]) -> None:
    print("Wrote:", *paths, sep="\n  ")
