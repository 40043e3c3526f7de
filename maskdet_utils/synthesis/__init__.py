"""Draw masks and other things on photos of faces.

Used by notebooks 02 and 07, which draw on training photos, and by `maskdet synthesize`, which draws on a folder.
"""
