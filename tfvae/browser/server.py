"""A server that gives the files of a folder to this machine only."""

import functools
import http.server
import pathlib
from typing import Annotated, Any

from tfvae import checks

Port = Annotated[int, functools.partial(checks.integer, minimum=0, maximum=65535)]


class _Handler(http.server.SimpleHTTPRequestHandler):
    # Set here, as the types in the table of the system may be wrong.
    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".wasm": "application/wasm",
    }

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")  # a page may be built again
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@checks.checked
def server(folder: pathlib.Path, port: Port = 8000) -> http.server.ThreadingHTTPServer:
    """Returns a server on 127.0.0.1, ready for `serve_forever`.

    Args:
        folder: Folder of the files.
        port: A free port; 0 for any.

    Raises:
        ValueError: The port is taken.
    """
    handler = functools.partial(_Handler, directory=str(folder))
    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        checks.fail("a free port", hint=f"{error.strerror}. Try --port 0.", port=port)
