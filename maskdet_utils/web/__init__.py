"""A classifier as a web page that needs no Python: a folder of static files.

Used by `maskdet export-web`, by notebook 09, and by the course's website. The page itself is in `page/`.
"""
