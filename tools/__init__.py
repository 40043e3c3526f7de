"""The maintainers' workshop: tools that make and check the notebooks. Learners never need them, so no wheel contains them.

Run them from the repository's root: `python -m tools.notebooks`, `python -m tools.exercises`.
"""
