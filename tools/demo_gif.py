"""Make the demo clip at the top of the README (`make demo-gif`), and the sample picture of the web page."""

import argparse
import sys
from pathlib import Path

import cv2

from maskdet_utils.cli import default_run
from maskdet_utils.detector import MaskDetector
from maskdet_utils.drawing import FONT
from maskdet_utils.live.clips import cast_actors, play
from maskdet_utils.live.labels import Labels
from maskdet_utils.live.output import write_clip
from maskdet_utils.plots import CREDIT

SIZE, STILL_SIZE = (480, 270), (720, 405)
PEOPLE = (28, 16, 23)  # all from clips.TEST_PEOPLE
COUNT, RATE = 72, 9  # frames, and frames per second; the file stays below 2 MB, small enough for a repository


def main(arguments: list[str] | None = None) -> int:
    """Write the demo clip. A GIF shows the detector's boxes and labels. Any other type of file shows only the clip.

    Args:
        arguments: What follows `python -m tools.demo_gif` on the command line. By default, this process's arguments.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.demo_gif", description=__doc__)
    parser.add_argument(
        "output", help="a .gif file, .mp4 or .mjpeg for the same clip without boxes, or .jpg for a still"
    )
    parser.add_argument("run", nargs="?", help="the run folder of the classifier (default: as in maskdet annotate)")
    options = parser.parse_args(arguments)
    width, height = SIZE
    if options.output.lower().endswith(".jpg"):
        picture, _ = next(play(cast_actors(PEOPLE, [(0,), (), ()]), 1, *STILL_SIZE))
        cv2.imwrite(options.output, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])
        print(options.output)
        return 0
    actors = cast_actors(PEOPLE, [(18, 54), (32,), (7, 43, 61)])
    frames = (frame for frame, _ in play(actors, COUNT, width, height))
    if options.output.lower().endswith(".gif"):
        detector = MaskDetector.load(Path(options.run).resolve() if options.run else default_run())
        labels = Labels(detector.classes, detector.mask_class)
        frames = (labels.draw(frame, detector.track(frame)) for frame in frames)
        place, gray = (6, height - 7), (60, 60, 60)
        frames = (cv2.putText(frame, CREDIT, place, FONT, 0.35, gray, 1, cv2.LINE_AA) for frame in frames)
    print(write_clip(options.output, frames, RATE))
    return 0


if __name__ == "__main__":
    sys.exit(main())
