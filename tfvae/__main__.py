"""`python -m tfvae`: the command line."""

from tfvae.cli import main

main()
