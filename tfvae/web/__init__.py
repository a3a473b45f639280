"""A page that runs models in the browser by LiteRT.js, and a server for it."""

from tfvae.web.models import Subject, of_run, subjects
from tfvae.web.pages import build
from tfvae.web.server import server

__all__ = ["Subject", "build", "of_run", "server", "subjects"]
