"""Pages made at build time: the guides from scripts, the command line from its help."""

import ast
import os
import pathlib
import re
import subprocess
import sys

import docstrings
from mkdocs.structure.files import File

HERE = pathlib.Path(__file__).parent
CELL = re.compile(r"^# %% (.+)\n((?:#.*\n)*)", re.MULTILINE)  # a title and its text


def on_files(files, config):
    """Adds the pages that are made."""
    pages = {f"guides/{path.stem}.md": guide(path) for path in HERE.glob("guides/*.py")}
    pages["command_line.md"] = command_line()
    for name, page in pages.items():
        files.append(File.generated(config, name, content=page))
    return files


def on_page_markdown(markdown, **_):
    """Makes links of names in backticks that begin with `tfvae.`."""
    return docstrings.rewritten(markdown, {})


def guide(path):
    """A script as a page: its docstring, titles and text of its cells, and code."""
    script = path.read_text()
    title, _, about = ast.get_docstring(ast.parse(script)).partition("\n")
    code, *cells = CELL.split(script.split('"""', 2)[2])
    page = [f"# {title.rstrip('.')}", about, fenced(code, "python")]
    for heading, text, code in zip(cells[::3], cells[1::3], cells[2::3], strict=True):
        text = re.sub("^# ?", "", text, flags=re.MULTILINE)
        page += [f"## {heading}", text, fenced(code, "python")]
    command = f"python {path.relative_to(HERE.parents[1])}"
    return "\n\n".join([*page, "This page is a script:", fenced(command, "console")])


def command_line():
    """The help of the program, and of each of its commands."""
    whole = help_of()
    names = re.findall(r"^  (\w+) ", whole.split("Commands:")[1], re.MULTILINE)
    page = ["# Command line", fenced(whole)]
    for name in names:
        page += [f"## tfvae {name}", fenced(help_of(name))]
    return "\n\n".join(page)


def help_of(*command):
    """What a command says of itself, as plain text."""
    plain = {"COLUMNS": "80", "TYPER_USE_RICH": "0"}
    command = [sys.executable, "-m", "tfvae", *command, "--help"]
    options = {"env": os.environ | plain, "capture_output": True, "text": True}
    return subprocess.run(command, check=True, **options).stdout


def fenced(text, language="text"):
    """A block of code."""
    return f"```{language}\n{text.strip()}\n```"
