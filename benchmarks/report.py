"""Put the benchmarks' tables into the README, from benchmarks/results. The last step of `make bench` and `make bench-training`.

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
    "as shipped": "a settled label checked in every other frame",
    "every third": "faces looked for in every third frame, besides",
}
TRAININGS = {
    "recipe": "the usual recipe: through the frozen base in every epoch",
    "frozen": "the same photos and the same frozen base, each photo through it once",
    "tuned": "the same photos, all our stages: the top of the base fine-tuned as well",
    "ours": "the released classifier: masks drawn and photos of the sample added",
}


def live_table(live: dict) -> str:
    """How many times as fast as the usual loop, a row for each way, detectors and numbers of faces side by side."""
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
    lines.append("| the first row against its two networks with nothing around them | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def detector_table(live: dict) -> str:
    """What each face detector finds in street photos, if they were at hand."""
    lines = [
        "| finds faces with | of 20–40 pixels | of 40 pixels and more | false boxes a photo |",
        "|---|---|---|---|",
    ]
    names = {"yunet": "YuNet", "centerface": "CenterFace", "ssd": "OpenCV's SSD net (the usual recipe)"}
    for row in live["detectors"]:
        shares = f"{row['recall_20']:.0%} | {row['recall_40']:.0%} | {row['false_boxes']:.2f}"
        lines.append(f"| {names[row['detector']]} | {shares} |")
    return "\n".join(lines)


def training_table(training: dict) -> str:
    """Time and memory in parts of the recipe's, and the accuracy on the clean test part."""
    usual = training["recipe"]
    lines = ["| trained on the public data set | time | memory | accuracy, clean test part |", "|---|---|---|---|"]
    for name, words in TRAININGS.items():
        if name in training:
            row = training[name]
            ratios = [usual[key] / row[key] for key in ("seconds", "peak_memory_mb")]
            parts = [f"1/{ratio:.1f}" if ratio > 1 else f"{1 / ratio:.1f} ×" for ratio in ratios]
            cells = ["1", "1"] if name == "recipe" else parts
            accuracy = score_text(row["accuracy"], 4)
            lines.append(f"| {words} | {' | '.join(cells)} | {accuracy} |")
    return "\n".join(lines)


def put(text: str, name: str, table: str) -> str:
    """The text with a table between its two marks of that name."""
    begin, end = f"<!-- {name}: made by make bench -->", f"<!-- end of {name} -->"
    if begin not in text or end not in text:
        raise ValueError(f"README.md lacks the marks {begin} and {end}.")
    return re.sub(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n\n{table}\n\n{end}", text, flags=re.DOTALL
    )


def main():
    root = repository_root()
    read = {path.stem: json.loads(path.read_text()) for path in (root / RESULTS).glob("*.json")}
    text = (root / "README.md").read_text(encoding="utf-8")
    if "live_loop" in read:
        text = put(text, "live loop", live_table(read["live_loop"]))
        if read["live_loop"]["detectors"]:
            text = put(text, "detectors", detector_table(read["live_loop"]))
    if "training" in read:
        text = put(text, "training", training_table(read["training"]))
    if "folders" in read:
        ours, times = read["folders"]["photos_a_second"]["ours"]["median"], read["folders"]["times_faster"]
        words = f"`maskdet evaluate` looks at a folder of face crops {times:.1f} times as fast as `load_img` and `model.predict`"
        text = put(text, "folders", f"{words} ({ours} a second on two cores).")
    write_file(root / "README.md", text.encode())


if __name__ == "__main__":
    main()
