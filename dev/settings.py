"""Generate `docs/settings.md` from the sections of the settings: `python -m dev.settings`, or `make settings`."""

from pathlib import Path

from bargein.configuration import extension_sections
from bargein.settings import CORE_SECTIONS, Section, Variable

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "settings.md"

HEAD = """# Settings

Every setting of the server. This page is generated from the code by `make settings`, and a test checks that it is
current.

A setting comes from the first of these sources that has it:

1. the command line (`bargein serve --host --port`)
2. the environment
3. `.env` in the working directory: lines like `BARGEIN_API_KEY=…`
4. `bargein.toml` in the working directory, or the file that `BARGEIN_CONFIG` names
5. the default

An empty value counts as not set. A list is separated by commas in a variable, and is an array in `bargein.toml`:

```toml
[server]
port = 8700
public_url = "https://voice.example"

[keys]
secret_keys = ["a key of 32 characters or more…"]

[calls]
echo_cancellation = "on"
```

A table or a key that is not in this page is refused. A secret appears in no log, no message and no output of
`bargein doctor`; better keep secrets in the environment or in `.env` than in a file that is shared.
"""

_COLUMNS = "| Variable | Key | Default | Secret | Meaning |\n| --- | --- | --- | --- | --- |"


def page() -> str:
    """Return the whole page."""
    sections = (*CORE_SECTIONS, *extension_sections())
    return "\n".join([HEAD, *(_group(section) for section in sections)])


def _group(section: type[Section]) -> str:
    rows = "\n".join(_row(section, variable) for variable in section.variables())
    introduction = " ".join((section.__doc__ or "").split())
    return f"## {section.title}\n\n{introduction}\n\n{_COLUMNS}\n{rows}\n"


def _row(section: type[Section], variable: Variable) -> str:
    name = f"`{variable.name}`" if variable.name else "-"
    secret = "yes" if variable.secret else ""
    cells = (name, f"`{section.table}.{variable.field}`", _default(variable.default), secret, variable.meaning)
    return f"| {' | '.join(cells)} |"


def _default(default: str) -> str:
    """Return a value as code, and a description as it is."""
    if not default:
        return "-"
    return default if " " in default or "'" in default else f"`{default}`"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
    print(f"wrote {TARGET.relative_to(ROOT)}")
