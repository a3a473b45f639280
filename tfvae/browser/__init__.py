"""A page that runs models in the browser by LiteRT.js, and a server for it."""

from tfvae.browser.models import Subject, of_run, subjects
from tfvae.browser.pages import build
from tfvae.browser.server import server

__all__ = ["Subject", "build", "of_run", "server", "subjects"]
