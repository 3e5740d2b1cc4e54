"""The programs that some tests need beside Python: how each is found, and the command that installs it.

A test that needs one carries `@needs("chromium")`. Where the program is missing the test is skipped, and the reason
names the program and the command; with `CI` set it fails instead. `BARGEIN_TESTS_WITHOUT` lists programs that count as
missing although they are installed: `all`, or names of `PROGRAMS` with commas between them.

Run as a script, this prints the Debian packages of the programs that are missing. It is run before anything is
installed, so it imports pytest only in the functions that tests call.
"""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

SWITCH = "BARGEIN_TESTS_WITHOUT"


@dataclass(frozen=True)
class Program:
    """A program that is not installed with Python's packages.

    Attributes:
        title: its name in messages.
        commands: names of its command; the first that is found is used.
        packages: Debian packages that contain it.
    """

    title: str
    commands: tuple[str, ...]
    packages: tuple[str, ...]

    @property
    def missing(self) -> str:
        """The reason for which tests are skipped."""
        return f"{self.title} is not installed: apt-get install {' '.join(self.packages)}"


PROGRAMS = {
    "chromium": Program(
        "Chromium", ("chromium", "chromium-browser", "google-chrome"), ("chromium", "fonts-dejavu-core")
    ),
    "postgres": Program("Postgres", ("pg_ctlcluster", "initdb"), ("postgresql",)),
    "node": Program("Node.js", ("node",), ("nodejs",)),
    "npm": Program("npm", ("npm",), ("npm",)),
    "sipp": Program("SIPp", ("sipp",), ("sip-tester",)),
    "kamailio": Program("Kamailio", ("kamailio",), ("kamailio", "kamailio-tls-modules")),
}


def find(name: str) -> str | None:
    """Return the path of a program's command, or None if it is missing or counts as missing.

    Beside the folders of `PATH` their `sbin` is searched, which the `PATH` of a user often lacks.
    """
    if name in _without():
        return None
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    path = os.pathsep.join(str(folder) for folder in (*folders, *(folder.with_name("sbin") for folder in folders)))
    return next((found for command in PROGRAMS[name].commands if (found := shutil.which(command, path=path))), None)


def located(name: str) -> str:
    """Return the path of a program's command.

    Raises:
        LookupError: it is missing.
    """
    found = find(name)
    if found is None:
        raise LookupError(PROGRAMS[name].missing)
    return found


def _without() -> set[str]:
    named = {name for name in os.environ.get(SWITCH, "").split(",") if name}
    unknown = named - PROGRAMS.keys() - {"all"}
    if unknown:
        raise ValueError(f"{SWITCH} names {', '.join(sorted(unknown))}; there are all, {', '.join(PROGRAMS)}")
    return set(PROGRAMS) if "all" in named else named


def needs(*names: str) -> "pytest.MarkDecorator":
    """Mark a test that needs these programs."""
    import pytest

    for name in names:
        assert name in PROGRAMS, name
    return pytest.mark.needs(*names)


def require(item: "pytest.Item") -> None:
    """Skip a test whose programs are missing, or fail it where `CI` is set."""
    import pytest

    names = dict.fromkeys(name for mark in item.iter_markers("needs") for name in mark.args)
    missing = "; ".join(PROGRAMS[name].missing for name in names if find(name) is None)
    if missing and os.environ.get("CI"):
        pytest.fail(missing, pytrace=False)
    if missing:
        pytest.skip(missing)


def main(arguments: list[str]) -> None:
    """Print the Debian packages of the missing programs, or with `--reasons` why a test of each program is skipped."""
    if arguments == ["--reasons"]:
        print(*(program.missing for program in PROGRAMS.values()), sep="\n")
    else:
        print(*(package for name, program in PROGRAMS.items() if find(name) is None for package in program.packages))


if __name__ == "__main__":
    main(sys.argv[1:])
