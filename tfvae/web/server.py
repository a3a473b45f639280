"""A server of a folder of files to this machine alone."""

import functools
import http.server

from tfvae import checks


class _Handler(http.server.SimpleHTTPRequestHandler):
    # Whatever the system's own table says.
    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".wasm": "application/wasm",
    }

    def end_headers(self):
        self.send_header("Cache-Control", "no-cache")  # it may be built again
        super().end_headers()

    def log_message(self, *_):
        pass


def server(folder, port=8000):
    """A server of a folder to this machine alone, ready for `serve_forever`.

    Args:
        folder: What to serve.
        port: A free port; 0 for any.

    Returns:
        A `http.server.ThreadingHTTPServer`.

    Raises:
        ValueError: Where the port is taken.
    """
    checks.integer(minimum=0, maximum=65535, port=port)
    handler = functools.partial(_Handler, directory=str(folder))
    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        checks.fail("a free port", hint=f"{error.strerror}. Try --port 0.", port=port)
