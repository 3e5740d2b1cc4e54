"""The npm package by itself: its types, its unit tests, and the content of its archive."""

import json

from tests.programs import needs
from tests.web.conftest import Package

pytestmark = needs("node", "npm")


def test_its_types_are_those_of_vapis_sdk_and_of_daily(package: Package) -> None:
    tsc = "node_modules/typescript/bin/tsc"
    package.run(tsc, "--noEmit")
    package.run(tsc, "-p", "test/types")


def test_its_unit_tests(package: Package) -> None:
    files = sorted(str(path.relative_to(package.folder)) for path in (package.folder / "test").glob("*.test.mjs"))
    printed = package.run("--test", "--test-reporter=tap", *files)
    assert "# fail 0" in printed
    assert "# tests 0" not in printed


def test_the_archive_is_complete_and_has_no_dependencies(package: Package) -> None:
    package_json = json.loads((package.folder / "package.json").read_text())
    assert "dependencies" not in package_json
    entrances = [
        package_json["main"],
        package_json["module"],
        package_json["types"],
        package_json["exports"]["./worklet"],
    ]
    assert all((package.folder / path).is_file() for path in entrances)
    code = (package.folder / "dist" / "index.mjs").read_text()
    assert "import " not in code.replace("import type", "")
    assert "https://" not in code


def test_the_lock_names_versions_and_no_registry(package: Package) -> None:
    lock = json.loads((package.folder / "package-lock.json").read_text())
    assert len(lock["packages"]) > 50
    assert not [name for name, entry in lock["packages"].items() if "resolved" in entry]
