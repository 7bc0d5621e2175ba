"""The main job: measure a directory tree, and survive being killed half-way."""
