"""Checks for the exercises: one module per lesson, with a function for each answer, named after what it looks at.

The notebooks in `exercises/` and `solutions/` use them. They are not part of the package `maskdet_utils`, so a notebook first
adds this folder's parent to the search path:

    sys.path.insert(0, str(paths.repository_root() / "notebooks"))
    from exercise_checks import lesson_03 as check

Each check prints one line: RIGHT, or NOT YET and what is wrong with the answer.
"""
