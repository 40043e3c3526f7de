"""What readers see sounds native: no phrase that gave the course away as translated, and American spelling."""

import ast
import json
import re

import pytest
from conftest import ROOT

# Regular expressions, matched as whole words whatever the case, and what to write instead.
PHRASES = {
    r"anew": "again, or re-",
    r"beforehand": "in advance, or name the moment",
    r"reckon(s|ed|ing)?": "compute, estimate",
    r"mend(s|ed|ing)?": "fix",
    r"dearer": "costs more, takes longer",
    r"shall": "will, should",
    r"trainings": "training runs",
    r"so-manieth|manieth": "every n-th",
    r"storeys?": "level",
    r"(seen|of) the like|the like of|and the like": "unlike any, and similar ones",
    r"(hang|hangs|hanging|hung) together": "are related, belong together",
    r"(hand|hands|handed|handing) over": "pass, give",
    r"(break|breaks|broken|breaking) off|broke off": "interrupt",
    r"(go|goes|went|going) on where": "resume, pick up where",
    r"(can|could|cannot|can't) be had": "is available",
    r"for (want|lack) of": "because there is no",
    r"hold(s)? still": "do not change",
    r"there (is|was) nothing to be seen|is nothing to be seen": "nothing shows",
    r"(leave|leaves|leaving) out what is there": "skip finished steps",
    r"in front of the test": "before the test",
    r"how many \w+ has": "how many … are in",
    r"(one|a|an|each|every) (row|column|line|file) an? \w+": "per",
    r"(ms|milliseconds|boxes|false boxes|MB|megabytes) an? (face|photo|frame|epoch|image|step)": "per",
    r"(?-i:Faces found by|A mask from|No face in sight)": "the panel's labels: Face detector, Mask threshold, No face found",
}
VERBS = (  # British with s: normalise, normalised, normalising, normaliser, normalisation
    "binar categor character custom emphas equal general initial local maxim memor minim normal optim organ penal "
    "quant random real recogn regular serial special stabil standard summar synthes util vector visual"
).replace(" ", "|")
BRITISH = {
    r"(colour|behaviour|neighbour|favour|flavour|honour|harbour|labour)\w*": "-or",
    r"grey(s|er|est|ish|scale)?": "gray",
    r"(centre|metre|litre|fibre|theatre|centimetre|millimetre|kilometre)[sd]?": "-er, -ered",
    rf"(un|re|de)?({VERBS})is(e|es|ed|er|ers|ing|ation|ations)": "-ize",
    r"analys(e|ed|er|ers|ing)": "analyze",
    r"\w*(label|model|travel|cancel|channel|signal|level|total|fuel)l(ed|ing|ings|er|ers)": "one l",
    r"(licence|defence|offence|practise|artefact|catalogue|programme|cheque|tyre|mould|plough)[sd]?": "license, …",
    r"judgement\w*|acknowledgement\w*|ageing|sceptical\w*|skilful\w*|fulfil|enrol": "judgment, …",
    r"whilst|amongst|learnt|spelt|dreamt": "while, among, learned, …",
}
PER_CENT = re.compile(r"\d[ \u00a0\u202f]%")  # 95%, not 95 %
# Names, not prose: what a library or a data set calls something.
NAMES = re.compile(r"Parameterisation of a stochastic model")

WORDS = {
    pattern: (re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])", re.IGNORECASE), better)
    for pattern, better in (PHRASES | BRITISH).items()
}


def found_in(text: str) -> list[str]:
    """What the lists object to in a text: the words with a few around them, and what to write instead."""
    text = NAMES.sub("", " ".join(text.split()))
    problems = []
    for pattern, better in [*WORDS.values(), (PER_CENT, "no space before the percent sign")]:
        for match in pattern.finditer(text):
            around = text[max(0, match.start() - 30) : match.end() + 20]
            problems.append(f"“{match[0]}” in “…{around}…” (better: {better})")
    return problems


def without_code(markdown: str) -> str:
    """Markdown without code, targets of links, addresses, and comments."""
    markdown = re.sub(r"^( *)(```+|~~~+).*?^ *\2", " ", markdown, flags=re.MULTILINE | re.DOTALL)
    markdown = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", " _ ", markdown, flags=re.DOTALL)
    markdown = re.sub(r"<!--.*?-->", " ", markdown, flags=re.DOTALL)
    markdown = re.sub(r"\]\([^)\s]*\)", "]", markdown)
    markdown = re.sub(r"\b(?:src|href)=(\"[^\"]*\"|'[^']*')", " ", markdown)
    return re.sub(r"https?://\S+", " ", markdown)


def texts_of_python(source: str) -> list[tuple[int, str]]:
    """The docstrings and other string literals of a module, each with its line."""
    tree = ast.parse(source)
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    texts = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "0" for part in node.values)  # 0 before " %"
            texts.append((node.lineno, "".join(parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            texts.append((node.lineno, node.value))
    return texts


def texts_of(path) -> list[tuple[str, str]]:
    """What readers see of a file: pieces of text, each with the place where it is."""
    content = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = [cell for cell in json.loads(content)["cells"] if cell["cell_type"] == "markdown"]
        return [(f"cell {cell['id']}", without_code("".join(cell["source"]))) for cell in cells]
    if path.suffix == ".py":
        return [(f"line {line}", without_code(text)) for line, text in texts_of_python(content)]
    if path.suffix == ".md":
        return [("", without_code(content))]
    return [(f"line {number}", line) for number, line in enumerate(content.splitlines(), start=1)]


PATTERNS = (
    "*.md",
    "docs/*.md",
    "data/README.md",
    "notebooks/*.ipynb",
    "notebooks/exercises/*.ipynb",
    "notebooks/solutions/*.ipynb",
    "notebooks/exercise_checks/*.py",
    "maskdet_utils/**/*.py",
    "maskdet_utils/**/*.js",
    "tools/*.py",
    "benchmarks/*.py",
    "docs/_templates/*.html",
    ".github/**/*.yml",
    "params/*.yaml",
    "Makefile",
    "environment.yml",
    "pyproject.toml",
    "CITATION.cff",
)
FILES = sorted({path for pattern in PATTERNS for path in ROOT.glob(pattern)})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_it_reads_as_an_american_teacher_would_write_it(path):
    problems = [f"{place}: {problem}" for place, text in texts_of(path) for problem in found_in(text)]
    assert not problems, "\n".join(problems)


def test_every_kind_of_file_is_read():
    for pattern in PATTERNS:
        assert list(ROOT.glob(pattern)), pattern


# The lists themselves


@pytest.mark.parametrize(
    "text",
    [
        "Train it anew.",
        "Nobody knows\nbeforehand.",
        "We mended the file.",
        "Four faces are hardly dearer than one.",
        "What shall the network say?",
        "photos that it has never seen the like of",
        "telephones and the like",
        "photos that hang together",
        "if its file can be had",
        "A run that was broken off goes on.",
        "It goes on where it was.",
        "One row a photo, one column a class.",
        "3.4 ms a face",
        "How many steps has an epoch?",
        "A mask from",
        "of 95 % of the photos",
        "95\u202f% interval",
        "Colours, greyscale and behaviour.",
        "normalised, Normalisation, recognising",
        "We analyse it.",
        "labelled, unlabelled, modelling",
        "the MIT licence",
    ],
)
def test_what_gave_the_course_away_is_found(text):
    assert found_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "25 frames a second, in color and gray; the neighbors of the center",
        "normalized, optimism, organism, exercise, the analysis, two analyses, synthesis, realism",
        "recommended, labeled, modeling, controlled, installed, called, level, likely",
        "She would like one photo a day. It can behave. A line of code. They belong together.",
        "95% of the photos, 100 percent",
        "Parameterisation of a stochastic model",
    ],
)
def test_american_english_passes(text):
    assert found_in(text) == []


def test_only_prose_is_read():
    page = "See `colour` and ``a ` grey``.\n\n```\nanew = 1\n```\n\n[here](https://example.org/colour) <!-- anew -->"
    assert found_in(without_code(page)) == []
    assert found_in(without_code(page + " Anew."))
    source = 'def f(x):\n    """Do it anew."""\n    grey = f"{x} % done"\n    return "colour", grey  # mend'
    assert sorted(line for line, text in texts_of_python(source) if found_in(text)) == [2, 3, 4]
