"""The live loop: frames in, boxes and labels out.

Notebook 06 uses it to show the camera panel; `maskdet annotate` uses it to mark photos, videos, and streams.
"""
