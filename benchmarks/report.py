"""Put the benchmarks' results into docs/results.md as tables. This is the last step of `make bench` and `make bench-training`.

python benchmarks/report.py
"""

import json
import re
from pathlib import Path

from maskdet_utils.evaluation import score_text
from maskdet_utils.paths import repository_root, write_file

RESULTS = Path("benchmarks/results")
WAYS = {
    "every frame": "every face found and classified in every frame",
    "as shipped": "faces searched for and settled labels checked in every other frame, and two full looks a second",
    "every third": "faces searched for in every third frame, and no full look",
}
TRAININGS = {
    "recipe": "the usual recipe: every photo goes through the frozen base in every epoch",
    "frozen": "the same photos and the same frozen base, but each photo goes through it once",
    "tuned": "the same photos with all our stages: the top of the base is also fine-tuned",
    "ours": "v1, which was trained before we added street faces: with drawn masks and the photos of the sample",
}


def live_table(live: dict) -> str:
    """Format how many times as fast as the usual loop ours is.

    Args:
        live: What benchmarks/live_loop.py wrote.

    Returns:
        A Markdown table with one row per way to run our loop and one column per detector and number of faces.
    """
    faster = {(row["loop"], row["faces"]): row["times_faster"] for row in live["loops"]}
    detectors = [name for name in ("yunet", "centerface") if (f"{name}, every frame", 1) in faster]
    names = {"yunet": "YuNet", "centerface": "CenterFace"}
    columns = [(name, count) for name in detectors for count in (1, 4)]
    heads = [f"{names[name]}, {count} face{'s' * (count > 1)}" for name, count in columns]
    lines = ["| times as fast as the usual loop | " + " | ".join(heads) + " |", "|---" * (1 + len(heads)) + "|"]
    for way, words in WAYS.items():
        cells = [f"{faster[(f'{name}, {way}', count)]:.1f} ×" for name, count in columns]
        lines.append(f"| {words} | " + " | ".join(cells) + " |")
    overheads = {(row["loop"], row["faces"]): row.get("overhead") for row in live["loops"]}
    cells = [f"{overheads[(f'{name}, every frame', count)]:+.0%}" for name, count in columns]
    lines.append("| extra time of the first row, compared with its two networks alone | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def detector_table(live: dict) -> str:
    """Format what each face detector finds in street photos as a Markdown table."""
    lines = [
        "| face detector | recall, faces of 20–40 pixels | recall, at least 40 pixels | false boxes per photo |",
        "|---|---|---|---|",
    ]
    names = {"yunet": "YuNet", "centerface": "CenterFace", "ssd": "OpenCV's SSD net (the usual recipe)"}
    for row in live["detectors"]:
        cells = f"{row['recall_20']:.0%} | {row['recall_40']:.0%} | {row['false_boxes']:.2f}"
        lines.append(f"| {names[row['detector']]} | {cells} |")
    return "\n".join(lines)


def reach_table(reach: list[dict]) -> str:
    """Format which share of faces is found by the size of the frame and of the face, as a Markdown table.

    Args:
        reach: What benchmarks/reach.py wrote.
    """
    sizes = list(dict.fromkeys((row["from"], row["to"]) for row in reach))
    recall = {(tuple(row["canvas"]), row["from"]): row["recall"] for row in reach}
    lines = ["| frame | " + " | ".join(f"faces of {low}–{high} pixels" for low, high in sizes) + " |"]
    lines.append("|---" * (1 + len(sizes)) + "|")
    for canvas in dict.fromkeys(tuple(row["canvas"]) for row in reach):
        cells = " | ".join(f"{recall[canvas, low]:.0%}" for low, _ in sizes)
        lines.append(f"| {canvas[0]:,} × {canvas[1]:,} | {cells} |")
    return "\n".join(lines)


def training_table(training: dict) -> str:
    """Format time and memory relative to the recipe's, and the accuracy on the clean test set, as Markdown."""
    usual = training["recipe"]
    lines = ["| trained on the public data set | time | memory | accuracy, clean test set |", "|---|---|---|---|"]
    for name, words in TRAININGS.items():
        if name in training:
            row = training[name]
            ratios = [usual[key] / row[key] for key in ("seconds", "peak_memory_mb")]
            relative = [f"1/{ratio:.1f}" if ratio > 1 else f"{1 / ratio:.1f} ×" for ratio in ratios]
            cells = ["1", "1"] if name == "recipe" else relative
            accuracy = score_text(row["accuracy"], 4)
            lines.append(f"| {words} | {' | '.join(cells)} | {accuracy} |")
    return "\n".join(lines)


def put(text: str, name: str, table: str) -> str:
    """Replace the text between two marks.

    Args:
        text: The text of docs/results.md.
        name: The name in both marks.
        table: What to put between them.

    Returns:
        The new text.

    Raises:
        ValueError: The text lacks one of the marks.
    """
    begin, end = f"<!-- {name}: made by make bench -->", f"<!-- end of {name} -->"
    if begin not in text or end not in text:
        raise ValueError(f"docs/results.md lacks the marks {begin} and {end}. Put them back.")
    return re.sub(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n\n{table}\n\n{end}", text, flags=re.DOTALL
    )


def main() -> None:
    """Rewrite the tables of docs/results.md from all results."""
    root = repository_root()
    results = {path.stem: json.loads(path.read_text()) for path in (root / RESULTS).glob("*.json")}
    page = root / "docs" / "results.md"
    text = page.read_text(encoding="utf-8")
    if "live_loop" in results:
        text = put(text, "live loop", live_table(results["live_loop"]))
        if results["live_loop"]["detectors"]:
            text = put(text, "detectors", detector_table(results["live_loop"]))
    if "reach" in results:
        text = put(text, "reach", reach_table(results["reach"]))
    if "training" in results:
        text = put(text, "training", training_table(results["training"]))
    if "folders" in results:
        ours, times = results["folders"]["photos_a_second"]["ours"]["median"], results["folders"]["times_faster"]
        words = f"`maskdet evaluate` classifies face crops {times:.1f} times as fast as `load_img` and `model.predict`"
        text = put(text, "folders", f"{words} ({ours} per second on two cores).")
    write_file(page, text.encode())


if __name__ == "__main__":
    main()
