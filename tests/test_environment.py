"""pyproject.toml, requirements.lock and environment.yml say the same, and every asked-for package has its reason."""

import ast
import json
import re
import sys
import tomllib

import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
ASKED_FOR = [Requirement(line) for line in PROJECT["dependencies"] + EXTRAS["test"] + EXTRAS["site"]]
# requirement line → reason behind it
REASONS = dict(
    re.findall(r'^ +"([^"]+)", +# (.+)$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
)
BLOCKS = re.split(r"^(?=[a-z])", (ROOT / "requirements.lock").read_text(encoding="utf-8"), flags=re.MULTILINE)
LOCKED = [(Requirement(block.split("\\")[0]), block.count("--hash=sha256:")) for block in BLOCKS if block.strip()]
PIP_LINES = re.findall(r"^ {6}- (.+?)  # (.+)$", (ROOT / "environment.yml").read_text(encoding="utf-8"), re.MULTILINE)


def pins(name):
    return [requirement for requirement, _ in LOCKED if requirement.name == name]


def test_every_locked_package_is_pinned_with_hashes():
    assert len(LOCKED) > 50
    for requirement, hashes in LOCKED:
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)) and hashes > 0, requirement


@pytest.mark.parametrize("asked_for", ASKED_FOR, ids=str)
def test_every_dependency_is_locked_in_a_version_that_fits_and_has_its_reason(asked_for):
    assert pins(asked_for.name), f"{asked_for.name} is not in requirements.lock"
    for pin in pins(asked_for.name):
        version = str(pin.specifier).removeprefix("==")
        assert asked_for.specifier.contains(version)
    assert len(REASONS[str_in_pyproject(asked_for)]) >= 10


def str_in_pyproject(requirement):
    return next(line for line in REASONS if Requirement(line) == requirement)


IMPORTED_AS = {  # where a package goes by another name on the index
    "IPython": "ipython",
    "PIL": "pillow",
    "ai_edge_litert": "ai-edge-litert",
    "axe_playwright_python": "axe-playwright-python",
    "cv2": "opencv-python",
    "pillow_heif": "pillow-heif",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
OUR_OWN = {"maskdet_utils", "tools", "benchmarks", "exercise_checks", "conftest", "fuzz", "rows", "running"}


def code_of(path):
    if path.suffix == ".py":
        return path.read_text(encoding="utf-8")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def imported_packages(pattern):
    """The packages that files import anywhere, also inside functions, by their names on the index."""
    names = set()
    for path in ROOT.glob(pattern):
        for node in ast.walk(ast.parse(code_of(path))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.split(".")[0])
    assert names, f"nothing matches {pattern}"
    return {IMPORTED_AS.get(name, name) for name in names - OUR_OWN - sys.stdlib_module_names}


@pytest.mark.parametrize(
    "pattern, extras",
    [
        ("maskdet_utils/**/*.py", []),
        ("notebooks/**/*.ipynb", []),
        ("notebooks/exercise_checks/*.py", []),
        ("tools/*.py", []),
        ("benchmarks/*.py", []),
        ("tests/*.py", ["test"]),
        ("docs/*.py", ["site"]),
    ],
)
def test_every_package_that_is_imported_is_declared(pattern, extras):
    lines = PROJECT["dependencies"] + [line for extra in extras for line in EXTRAS[extra]]
    declared = {Requirement(line).name for line in lines}
    assert imported_packages(pattern) <= declared


def test_the_conda_environment_pins_the_same_versions_for_the_same_reasons():
    expected = [
        (str(pin), REASONS[str_in_pyproject(asked_for)]) for asked_for in ASKED_FOR for pin in pins(asked_for.name)
    ]
    found = [(str(Requirement(line)), reason) for line, reason in PIP_LINES if not line.startswith("--")]
    assert found == expected
    assert PIP_LINES[-1][0] == "--editable .", "the package itself"


def test_conda_gives_python_and_pip_gives_the_rest():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, packages = environment["dependencies"]
    assert python == "python" + ",".join(sorted(PROJECT["requires-python"].split(","), reverse=True))
    assert pip == "pip"
    assert len(packages["pip"]) == len(PIP_LINES), "every line has its reason"


def test_what_the_build_needs_is_locked_too():
    """`make setup` builds the package without fetching anything besides the lock."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    for requirement in map(Requirement, build):
        assert pins(requirement.name) and requirement.specifier.contains(str(pins(requirement.name)[0].specifier)[2:])


def test_opencv_is_the_fourth():
    """OpenCV 5 dropped the Caffe importer that the SSD face net needs."""
    assert {"opencv-python>=4.14,<5"} <= set(PROJECT["dependencies"])


def test_binder_installs_what_the_lock_says():
    folder = ROOT / ".binder"
    (line,) = [line for line in (folder / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert (folder / line.removeprefix("-r ")).resolve() == ROOT / "requirements.lock"
    python = (folder / "runtime.txt").read_text().strip().removeprefix("python-")
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)
    assert (folder / "postBuild").stat().st_mode & 0o100, "Binder runs it"
    setup = (ROOT / ".ci" / "run").read_text()
    assert all(package in setup for package in (folder / "apt.txt").read_text().split()), (
        "the system's packages of .ci/run"
    )


def test_pre_commit_runs_what_make_test_runs():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    modules = [re.search(r"-m (\S+)", hook["entry"])[1] for hook in hooks]
    assert {"ruff", "tools.notebooks", "mypy"} <= set(modules)
    assert all(f"$(IN_VENV) -m {module}" in makefile for module in modules)
    assert {repo["repo"] for repo in config["repos"]} == {"local"}, "nothing to fetch"


def test_the_issue_form_asks_for_notebook_cell_and_environment():
    folder = ROOT / ".github" / "ISSUE_TEMPLATE"
    forms = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in folder.glob("*.yml")}
    assert all(
        form["name"] and form["description"] and form["body"] for name, form in forms.items() if name != "config"
    )
    required = {field["id"] for field in forms["notebook"]["body"] if field.get("validations", {}).get("required")}
    assert {"notebook", "cell", "environment"} <= required
