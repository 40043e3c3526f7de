"""Run folders, parameters, and what happens to the last good run when the next one fails."""

import os
import re
import signal
import subprocess
import sys
import time

import nbformat
import pytest
import yaml
from conftest import ROOT

from maskdet_utils import paths, pipeline, runs
from maskdet_utils.runs import RunError

PARAMETERS = {name: pipeline.parameters_of(ROOT / "notebooks" / f"{name}.ipynb") for name in pipeline.PIPELINE}
KNOWN = {parameter for parameters in PARAMETERS.values() for parameter in parameters}


def test_a_relative_run_folder_starts_at_the_repositorys_root(small_repository, monkeypatch):
    monkeypatch.chdir(small_repository / "notebooks")
    assert paths.repository_root() == small_repository
    assert runs.open_run("runs/lab") == small_repository / "runs" / "lab"
    assert (small_repository / "runs" / "lab" / "figures").is_dir()
    assert runs.open_run(small_repository / "elsewhere") == small_repository / "elsewhere"


def test_outside_a_repository_the_packages_own_is_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert paths.repository_root() == ROOT
    monkeypatch.setattr(paths, "__file__", str(tmp_path / "site-packages" / "maskdet_utils" / "paths.py"))
    with pytest.raises(FileNotFoundError, match="Change to the folder that you cloned"):
        paths.repository_root()


def test_the_next_notebook_finds_what_one_notebook_wrote(tmp_path):
    runs.artifact(tmp_path, "01_load_the_data", "manifest.csv").write_text("path,label\n")
    assert runs.require(tmp_path, "01_load_the_data", "manifest.csv").read_text() == "path,label\n"
    (tmp_path / "classifier.keras").touch()
    assert runs.require(tmp_path, "04_train_the_classifier", "classifier.keras") == tmp_path / "classifier.keras"


def test_a_missing_file_is_named_with_the_notebook_to_run_first(tmp_path):
    with pytest.raises(RunError, match=r"manifest\.csv is missing.*Run 01_load_the_data\.ipynb first"):
        runs.require(tmp_path, "01_load_the_data", "manifest.csv")


def test_metrics_are_added_to_and_replaced(tmp_path):
    assert runs.read_metrics(tmp_path) == {}
    runs.update_metrics(tmp_path, seed=1, n_train=10)
    runs.update_metrics(tmp_path, seed=2)
    assert runs.read_metrics(tmp_path) == {"schema_version": 2, "seed": 2, "n_train": 10}


@pytest.mark.parametrize("profile", sorted(path.stem for path in (ROOT / "params").glob("*.yaml")))
def test_profiles_set_only_parameters_that_a_notebook_has(profile):
    assert set(pipeline.read_profile(profile)) <= KNOWN


def test_the_default_profile_matches_the_notebooks_own_defaults():
    profile = pipeline.read_profile("default")
    for name, parameters in PARAMETERS.items():
        for parameter, value in parameters.items():
            if parameter != "run_dir":
                assert profile.get(parameter, value) == value, f"{parameter} of {name}"


def test_the_same_parameter_has_the_same_default_everywhere():
    for parameter in KNOWN:
        assert len({repr(parameters[parameter]) for parameters in PARAMETERS.values() if parameter in parameters}) == 1


def test_parameters_set_in_the_documentation_exist():
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:-p|--parameter) ([a-z_]+) ", text)) | set(re.findall(r"-f params/(\w+)\.yaml", text))
    assert named and named <= KNOWN | {path.stem for path in (ROOT / "params").glob("*.yaml")}


def cell(source, *tags):
    return nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)})


FIRST = """
import atexit, json, pathlib, sys
atexit.register(lambda: os.write(2, b"Traceback of a kernel that ends"))
metrics = {"dataset": "tiny", "n_train": 6, "n_validation": 2, "n_test": 2, "left_out": {"count": 0}, "seed": seed}
metrics |= {name: {"value": 0.5, "low": 0.4, "high": 0.6} for name in ("accuracy", "balanced_accuracy", "roc_auc")}
pathlib.Path(run_dir, "metrics.json").write_text(json.dumps(metrics | {"versions": {}}))
"""
SECOND = "assert not fail, 'this went wrong'\nif die: os.kill(os.getpid(), 9)\npathlib.Path(run_dir, 'started').touch()\ntime.sleep(pause)"


@pytest.fixture
def small_repository(tmp_path, monkeypatch):
    """A repository with two notebooks that take a second each. Parameters make the second one fail or wait."""
    root = tmp_path.resolve() / "repository"
    (root / "notebooks").mkdir(parents=True)
    (root / "params").mkdir()
    (root / "pyproject.toml").touch()
    (root / "params" / "tiny.yaml").write_text("seed: 1\n")
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for name, defaults, source in (
        ("00_first", "seed = 0", FIRST),
        ("01_second", "fail = False\ndie = False\npause = 0", SECOND),
    ):
        cells = [cell(f'run_dir = "runs/lab"\n{defaults}', "parameters"), cell("import os, pathlib, time\n" + source)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), root / "notebooks" / f"{name}.ipynb")
    monkeypatch.chdir(root)
    monkeypatch.setattr(pipeline, "PIPELINE", ("00_first", "01_second"))
    return root


def test_a_run_leaves_executed_notebooks_metrics_and_a_page(small_repository, capsys):
    folder = pipeline.run_pipeline("tiny")
    assert folder == small_repository / "runs" / "tiny"
    names = {path.name for path in folder.iterdir()}
    assert {"00_first.ipynb", "01_second.ipynb", "metrics.json", "index.html", "figures", "started"} <= names
    assert {"00_first.html", "01_second.html"} <= names, "the notebooks as web pages"
    metrics = runs.read_metrics(folder)
    assert metrics["seed"] == 1, "the profile's value, not the notebook's"
    assert set(metrics["seconds"]) == {"00_first", "01_second"} and min(metrics["seconds"].values()) > 0
    assert metrics["peak_memory_mb"] > 10
    progress = capsys.readouterr().err
    assert re.search(r"00_first +\d+ s", progress) and re.search(r"01_second +\d+ s", progress)
    assert visible(small_repository / "runs") == ["tiny"]
    (folder / "notes.txt").write_text("mine")
    (folder / "notebook").mkdir()
    assert pipeline.run_pipeline("tiny") == folder
    assert (folder / "notes.txt").read_text() == "mine" and (folder / "notebook").is_dir()


def visible(folder):
    """What is in a folder of runs, without the files for locking."""
    return [path.name for path in folder.iterdir() if path.suffix != ".lock"]


def test_values_on_the_command_line_override_the_profile(small_repository):
    assert runs.read_metrics(pipeline.run_pipeline("tiny", {"seed": 7}))["seed"] == 7


def test_an_unknown_parameter_or_profile_is_an_error(small_repository):
    with pytest.raises(RunError, match="No notebook has the parameter image_sise. Choose from: die, fail, pause, seed"):
        pipeline.run_pipeline("tiny", {"image_sise": 96})
    (small_repository / "params" / "typo.yaml").write_text("sede: 1\n")
    with pytest.raises(RunError, match="sede"):
        pipeline.run_pipeline("typo")
    with pytest.raises(RunError, match="no profile 'huge'. Choose from: tiny, typo"):
        pipeline.run_pipeline("huge")
    assert not (small_repository / "runs").exists()


@pytest.fixture
def good_run(small_repository):
    """A run folder with a file that must survive."""
    folder = small_repository / "runs" / "tiny"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text("the last good run")
    return folder


def is_intact(folder):
    return os.listdir(folder) == ["metrics.json"] and (folder / "metrics.json").read_text() == "the last good run"


def test_a_failing_notebook_is_named_and_leaves_the_last_good_run_alone(good_run):
    with pytest.raises(RunError) as error:
        pipeline.run_pipeline("tiny", {"fail": True})
    assert "01_second.ipynb failed: AssertionError: this went wrong" in str(error.value)
    kept = re.search(r"The notebook up to the error: (.+)", str(error.value))[1]
    assert nbformat.read(kept, as_version=4).cells[-1].outputs[0].ename == "AssertionError"
    assert is_intact(good_run)


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_a_notebook_whose_process_dies_is_named(good_run):
    with pytest.raises(RunError, match="01_second.ipynb failed: its process died"):
        pipeline.run_pipeline("tiny", {"die": True})
    assert is_intact(good_run)


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_or_killed_run_leaves_the_last_good_run_alone(good_run, sent):
    code = "from maskdet_utils import cli, pipeline\npipeline.PIPELINE = ('00_first', '01_second')\n"
    code += "import sys\nfrom maskdet_utils import assets, sample\nassets.ASSETS.clear()\nsample.build = lambda: None\n"
    code += "sys.exit(cli.main(['pipeline', '--profile', 'tiny', '-p', 'pause', '600']))"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list(good_run.parent.glob("*/started")):
        time.sleep(0.1)
    process.send_signal(sent)
    _, output = process.communicate(timeout=60)
    assert is_intact(good_run)
    if sent == signal.SIGINT:
        assert process.returncode == 1, output
        assert "All files that are there are complete" in output and "Traceback" not in output
        assert visible(good_run.parent) == ["tiny"]


def test_the_next_run_removes_what_a_killed_run_left_behind(good_run):
    stale = good_run.parent / ".tiny.maskdet-killed"
    others = [
        good_run.parent / name for name in (".tiny.two.maskdet-x", ".other.maskdet-x", ".tiny.old", ".tiny.backup")
    ]
    for folder in (stale, *others):
        folder.mkdir()
    paths.remove_leftovers(good_run)
    assert not stale.exists() and all(folder.exists() for folder in others) and is_intact(good_run)


def test_a_second_run_with_the_same_profile_waits_for_the_first(good_run):
    with paths.one_at_a_time(good_run), pytest.raises(RunError, match="Another run with the profile tiny"):
        pipeline.run_pipeline("tiny")
    assert is_intact(good_run)


def test_a_folder_that_is_no_run_stays(small_repository):
    notes = small_repository / "runs" / "tiny" / "notes.txt"
    notes.parent.mkdir(parents=True)
    notes.write_text("mine")
    with pytest.raises(RunError, match="tiny is not a run"):
        pipeline.run_pipeline("tiny")
    assert notes.read_text() == "mine" and len(list(notes.parent.iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("seed", "x", "seed must be a value such as 0, not 'x'"),
        ("seed", None, "not None"),
        ("seed", True, "not True"),
        ("seed", -1, "seed must be from 0 to"),
        ("fail", 1, "fail must be a value such as False, not 1"),
        ("run_dir", "X", "run_dir is always runs/<profile>"),
    ],
)
def test_an_impossible_value_is_an_error(small_repository, name, value, words):
    with pytest.raises(RunError, match=re.escape(words)):
        pipeline.run_pipeline("tiny", {name: value})
    assert not (small_repository / "runs").exists()


def test_a_run_killed_between_the_two_moves_of_the_swap_is_restored(good_run):
    good_run.rename(good_run.parent / ".tiny.maskdet-old")
    paths.remove_leftovers(good_run)
    assert is_intact(good_run)


def test_every_profile_starts_with_a_comment():
    for path in (ROOT / "params").glob("*.yaml"):
        first_line = path.read_text(encoding="utf-8").splitlines()[0]
        assert first_line.startswith("# ") and yaml.safe_load(path.read_text(encoding="utf-8"))
