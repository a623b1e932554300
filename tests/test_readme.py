"""The README is true: its Python runs, its map names every room, the files it names are there."""

import doctest
import pkgutil
import re
from pathlib import Path

import pytest

import torchkeras_lite

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def python_blocks():
    """Yield the line where each Python block of the README starts, and its code."""
    for match in re.finditer(r"^```python\n(.*?)^```$", README, re.M | re.S):
        yield README.count("\n", 0, match.start(1)) + 1, match.group(1)


def run_session(code, line, namespace):
    """Run a block of `>>>` lines and compare what it prints."""
    test = doctest.DocTestParser().get_doctest(
        code, namespace, f"README.md line {line}", "README.md", line - 1
    )
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    report = []
    runner.run(test, out=report.append, clear_globs=False)
    assert runner.failures == 0, "".join(report)
    namespace.update(test.globs)


def test_python_blocks_run_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "readme"}
    blocks = list(python_blocks())
    for line, code in blocks:
        if code.startswith(">>>"):
            run_session(code, line, namespace)
        else:
            # Blank lines in front make tracebacks show the README's line numbers.
            exec(compile("\n" * (line - 1) + code, "README.md", "exec"), namespace)
    assert blocks


def test_the_map_names_the_rooms_that_exist():
    (section,) = re.findall(r"^## Map of rooms\n(.*?)^## ", README, re.M | re.S)
    first_cells = re.findall(r"^\| (`.*?) \|", section, re.M)
    named = re.findall(r"`(\w+)(?:/|\.py)`", " ".join(first_cells))
    assert sorted(named) == sorted(module.name for module in pkgutil.iter_modules(torchkeras_lite.__path__))


@pytest.mark.parametrize("path", sorted(set(re.findall(r"(?:examples|scripts|tests)/\w+\.py", README))))
def test_named_files_exist(path):
    assert (ROOT / path).is_file()


def test_every_example_is_named():
    for path in (ROOT / "examples").glob("*.py"):
        assert f"examples/{path.name}" in README
