"""The versions that `pyproject.toml` allows, the oldest and the newest, each in an environment of its own."""
