"""Griffe extension: section titles that Griffe knows, and public names as links."""

import re
from collections.abc import Iterator

import griffe

# A title of a section that Griffe does not know, and what does as well.
TITLES = {
    r"\nExample:\n": "\nExamples: Example:\n",
    r"\nCall arguments:\n": "\nOther parameters: Call arguments:\n",
    r"\nReferences:\n    ": "\n**References:**\n\n",
}
CODE = re.compile(r"`(tfvae\.)?((?:\w+\.)?\w+)(?:\([^`\n]*\))?`")


class Docstrings(griffe.Extension):
    """Rewrites the docstrings of a package once it is loaded.

    A public name becomes a link: with its group, as `flows.Planar`, or alone if it
    begins with a capital letter or is of the docstring's own group.
    """

    def on_package(
        self, *, pkg: griffe.Module, loader: griffe.GriffeLoader, **_
    ) -> None:
        loader.resolve_aliases()
        groups = {g: pkg[g] for g in ("models", *pkg.exports) if pkg[g].is_module}
        public = {(g, n): f"tfvae.{g}.{n}" for g in groups for n in groups[g].exports}
        dotted = {".".join(key): path for key, path in public.items()}
        capital = {n: path for (_, n), path in public.items() if n[0].isupper()}
        for name, module in pkg.modules.items():
            own = {n: path for (group, n), path in public.items() if group == name}
            for docstring in docstrings(module):
                docstring.value = rewritten(docstring.value, capital | own | dotted)
        for group in groups.values():
            uncover(group)


def uncover(group: griffe.Module) -> None:
    """Puts public functions in the place of modules of their name, as Python does."""
    for name in group.exports:
        if group[name].is_module:
            function = group[name][name]
            group.set_member(name, griffe.Alias(name, function, parent=group))


def docstrings(thing: griffe.Object) -> Iterator[griffe.Docstring]:
    """The docstring of a module, class or function, and those of its members."""
    if thing.docstring:
        yield thing.docstring
    for member in thing.members.values():
        if not member.is_alias:
            yield from docstrings(member)


def rewritten(text: str, links: dict[str, str]) -> str:
    """The text with titles that Griffe knows, and links to names in `links`."""
    for title, known in TITLES.items():
        text = re.sub(title, known, text)

    def link(match: re.Match) -> str:
        path = links.get(match[2], match[1] and match[0].strip("`"))
        return f"[{match[0]}][{path}]" if path else match[0]

    return CODE.sub(link, text)
