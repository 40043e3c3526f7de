"""The live loop: frames in, boxes and labels out.

Used by notebook 06, which shows the camera panel, and by `maskdet annotate`, which marks photos, videos, and streams.
"""
