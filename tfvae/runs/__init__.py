"""Training runs in folders: presets, configuration, training, reports, publishing."""
