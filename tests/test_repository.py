"""The promises that the repository keeps about itself."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("webapp", "workers", "migrations", "templates", "tests", "script", ".ci")
# Of a lasting thing or a deed the glossary of README.md has better words; see there.
AVOIDED = {"integration", "integrations", "channel", "channels", "hook", "hooks", "job", "jobs"}


def test_no_lock_file_names_an_address() -> None:
    locks = [*ROOT.glob("*.lock"), *ROOT.glob("tests/**/package-lock.json")]
    assert len(locks) == 7
    assert not [lock.name for lock in locks if re.search(r"\w+://|file:", lock.read_text())]


def test_every_locked_package_has_a_hash() -> None:
    for lock in ROOT.glob("*.lock"):
        packages = re.split(r"\n(?=\w)", lock.read_text())
        assert not [package for package in packages if "--hash=sha256:" not in package], lock.name


def test_work_left_undone_is_an_issue_not_a_comment() -> None:
    marks = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
    assert not [path for path in _texts() if marks.search(path.read_text())]


def test_a_stranger_can_call_the_scripts() -> None:
    for script in ("script/run", "script/test", ".ci/run"):
        assert os.access(ROOT / script, os.X_OK), script
        assert (ROOT / script).read_text().startswith("#!/bin/sh\n"), script


def test_the_readme_names_both_scripts() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "script/run" in readme
    assert "script/test" in readme


def test_every_room_says_what_it_is() -> None:
    silent = [
        path for path in _modules() if not (ast.get_docstring(ast.parse(path.read_bytes())) or "").strip()
    ]
    assert not silent


def test_every_module_stays_a_room_and_not_a_hall() -> None:
    rooms = (
        path for path in _modules() if "versions" not in path.parts
    )  # a revision is one list, however long
    assert not [path for path in rooms if len(path.read_text().splitlines()) > 400]


def test_names_are_the_words_of_the_glossary() -> None:
    faults = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in _modules()
        if "sandbox" not in path.parts  # a stranger, who speaks the vendors' words
        for name, line in _defined_names(ast.parse(path.read_bytes()))
        if name.strip("_") == "token" or AVOIDED & set(_words(name))
    ]
    assert not faults


def test_only_credentials_seals_and_opens() -> None:
    use = re.compile(r"vault\w*\.(seal|open)\(")
    users = {path.relative_to(ROOT).as_posix() for path in _modules() if use.search(path.read_text())}
    assert users == {"webapp/core/credentials.py"}


def _texts() -> Iterator[Path]:
    for room in ROOMS:
        for path in (ROOT / room).rglob("*"):
            if path.suffix in {"", ".py", ".sh", ".html", ".js", ".css", ".toml"} and path.is_file():
                yield path


def _modules() -> Iterator[Path]:
    for room in ("webapp", "workers", "migrations"):
        yield from (ROOT / room).rglob("*.py")


def _defined_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.arg(arg=name):
                yield name, node.lineno
            case ast.Name(id=name, ctx=ast.Store()):
                yield name, node.lineno


def _words(name: str) -> list[str]:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_")
