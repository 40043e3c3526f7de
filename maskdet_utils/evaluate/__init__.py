"""How good is a classifier on a folder of photos? Used by `maskdet evaluate` and by notebook 08."""
