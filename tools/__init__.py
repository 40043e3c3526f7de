"""The maintainers' workshop: nothing here is installed with the package. Run each tool from the repository's root."""
