"""How people lay out their photos: class folders under many names, train and test folders, a folder around it all."""

import re
from pathlib import Path
from typing import NamedTuple

from .environment import PlainError
from .photos import is_clutter

MASK_CLASSES = ["with_mask", "without_mask"]
WORN_WRONG = "worn_incorrectly"  # the third class of classifiers with three classes

# What a folder's name means, as regular expressions for the name without case, separators, digits, and `FILLERS`. The
# names are those of public collections: AFDB is RMFD's folder of faces, and CMFD and IMFD are MaskedFace-Net's.
FILLERS = r"\d|faces?|people|persons?|photos?|images?|crops?|data(set)?|wear(ing|ed|s)?|worn|class"
MEANINGS = {
    "with_mask": r"(afdb|with|has|yes|(correct|proper)(ly)?)?a?mask(s|ed)?(on|yes|(correct|proper)(ly)?)?|with|cmfd",
    "without_mask": r"((with)?(no|out)|non|not|un|wo)a?mask(s|ed)?|mask(off|no|less)|without|bare|afdb",
    WORN_WRONG: r"(with)?(mask(s|ed)?)?(incorrect|improper|wrong)(ly)?(mask(s|ed)?)?|imfd",
}
SETS = {"train": r"train(ing)?", "validation": r"val(id(ation)?)?|dev", "test": r"test(ing)?"}


class DataError(PlainError, ValueError):
    """A data set cannot be used as it is. The message says what was expected and what was found."""


class ClassFolder(NamedTuple):
    """A folder with the photos of one class: its path, the class, and the set (train, …), or None if it names none."""

    path: Path
    label: str
    split: str | None


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def set_of(name: str) -> str | None:
    """The set that a name means: "train", "validation" (from val, valid, or dev), "test", or None."""
    plain = re.sub(r"(set|data|images|photos)$", "", _plain(name))
    return next((split for split, pattern in SETS.items() if re.fullmatch(pattern, plain)), None)


def class_of(name: str, known=(*MASK_CLASSES, WORN_WRONG)) -> str | None:
    """The class among `known` that a folder's name means, for example "with_mask" for "WithMask", or None."""
    plain = _plain(name)
    spelled = {_plain(label): label for label in known}
    read = re.sub(FILLERS, "", plain)
    meant = next((label for label, pattern in MEANINGS.items() if re.fullmatch(pattern, read)), None)
    return spelled.get(plain) or (meant if meant in known else None)


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted, without those that computers put there (`photos.is_clutter`)."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not is_clutter(path.name))


def unwrapped(folder: Path) -> Path:
    """Step into a folder that holds nothing but one other folder, as unpacked archives do. Class folders are not stepped into."""
    for _ in range(3):
        inner = subfolders(folder)
        below = [path for one in inner for child in subfolders(one) for path in (child, *subfolders(child))]
        # "Face Mask Data" could be the name of a class, but not with class folders inside.
        if len(inner) != 1 or not below or (class_of(inner[0].name) and not any(class_of(path.name) for path in below)):
            break
        folder = inner[0]
    return folder


def class_folders(folder: Path, known=(*MASK_CLASSES, WORN_WRONG)) -> tuple[list[ClassFolder], list[str]]:
    """Find the class folders in a folder, in one of these layouts (each of them maybe in a folder of its own):

    `with_mask/` and `without_mask/`; `train/with_mask/`, … and `test/with_mask/`, …; or `with_mask/train/`, ….

    Args:
        folder: The folder.
        known: The names that the classes should have. Folders under other spellings get these names where there is just
            one way to read them. All other folders keep their own names.

    Returns:
        The class folders, and sentences about what was read as what.

    Raises:
        DataError: It is not a folder.
    """
    if not folder.is_dir():
        hint = " Get it with: maskdet fetch public" if folder.parts[-2:] == ("data", "public") else ""
        raise DataError(
            f"{folder} is not a folder. Expected a folder that holds class folders: {_listed(known)}.{hint}"
        )
    root = unwrapped(folder)
    parents = {path: set_of(path.name) for path in subfolders(root)}
    sets = {path: split for path, split in parents.items() if split}
    found, notes = [], []
    for parent, split in sets.items() if len(set(sets.values())) > 1 else [(root, None)]:
        paths = subfolders(parent)
        labels, said = read_names([path.name for path in paths], known)
        notes += said if paths else [f"{parent.name}/ holds no class folders, so it was left out."]
        for path, label in zip(paths, labels, strict=True):
            inner = {inside: set_of(inside.name) for inside in subfolders(path)}
            if split or len({name for name in inner.values() if name}) < 2:
                inner = {path: split}
            found += [ClassFolder(inside, label, name) for inside, name in inner.items() if name or inside == path]
    return found, list(dict.fromkeys(notes))


def read_names(names: list[str], known, end: str = "/") -> tuple[list[str], list[str]]:
    """Read the names of classes that occur together: of folders side by side, or of labels in a file.

    Args:
        names: The names.
        known: The names that the classes should have.
        end: What to put behind a name in a sentence.

    Returns:
        The class of each name, which is the name itself unless there is one way to read it, and sentences about that.
    """
    meant = [name if name in known else class_of(name, known) for name in names]
    # With another folder of the same meaning, or beside one without a meaning, there is more than one way to read it.
    one_way = [
        label if name in known or meant.count(label) == 1 else None for name, label in zip(names, meant, strict=True)
    ]
    if len(names) == 2 and None in one_way:
        one_way = [None, None]
    labels = [label or name for name, label in zip(names, one_way, strict=True)]
    read = [f"{name}{end} as {label}" for name, label in zip(names, labels, strict=True) if name != label]
    notes = [f"Read {', '.join(read)}."] if read else []
    unclear = [name for name in names if name not in known and name in labels]
    if "with_mask" in known and any(class_of(name) or re.search(r"\d|mask|yes|true", name.lower()) for name in unclear):
        notes.append(
            f"Not clear who wears a mask in {_listed(unclear, end)}. Use the names {_listed(known, end)} to say so."
        )
    return labels, notes


def _listed(names, end: str = "/") -> str:
    return ", ".join(f"{name}{end}" for name in names)
