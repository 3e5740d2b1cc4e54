"""Generate `docs/providers.md` from the code and the tests: `python -m dev.providers`, or `make providers`.

A vendor's row follows from its spec, from the types that its parts declare, and from what is in the repository: a fake
of the vendor, a test that drives the fake with the vendor's own client, recordings by owners.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

from bargein.providers.interface import BUILT_IN, PartName, VendorSpec
from bargein.providers.registry import RETIRED, served, vendor_of
from bargein.server.agents.parts import fields_read
from bargein.testing.vendors.chat_llm import VENDORS as CHAT_VENDORS
from bargein.wire import contract
from bargein.wire.credentials import CredentialTypes
from bargein.wire.retired import retirement

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "providers.md"

FAKES = ROOT / "src" / "bargein" / "testing"
OFFICIAL = ROOT / "tests" / "providers" / "official"
RECORDINGS = ROOT / "tests" / "data" / "recordings"

SUFFIX = {"transcriber": "stt", "model": "llm", "voice": "tts"}
"""The end of the name of a module, by part."""

OWN_SERVERS = {"transcriber": "fake_transcriber", "model": "fake_llm", "voice": "fake_voice"}
"""The fakes of the owner's own servers."""

HEAD = """# Providers

The vendors of transcribers, models and voices that an assistant may name. This page is generated from the code and the
tests by `make providers`, and a test checks that it is current.

- **works against**: what the adapter is tested with. *our fake*: a server on loopback that keeps the vendor's protocol.
  *official client*: the vendor's own client reads the same fake, so that the fake cannot drift from the protocol
  unseen. *OpenAI's client*: the same, with the client whose protocol the vendor speaks.
- **called for real**: no vendor has been called from this repository. `bargein doctor --vendor NAME` tries your key
  with one sentence, and with `--record DIR` keeps the exchange, without the keys.
- **credential**: the `provider` of the credential ([`POST /credential`](reference/api.md), `credentials` of an
  assistant) that the key comes from. Without one the variables count ([settings](settings.md)).
- **used** and **kept**: the fields of Vapi's type. One that is used has an effect; one that is kept is checked, stored
  and returned, and the header `X-Bargein-Warning` says so where an assistant sets it.

`bargein check FILE` lists what will not work in a call with an assistant, with the path of each field. With
`BARGEIN_SUBSTITUTE_PROVIDERS=1` a part whose provider has no key runs on the embedded model, for laptops and CI.
"""

TITLES = {"transcriber": "Transcribers", "model": "Models", "voice": "Voices"}

GONE = """## Refused

A request that names one of these is refused with 400 and the reason.

| part | provider | reason |
|---|---|---|"""

_COLUMNS = (
    "| provider | works against | called for real | credential; variables | used | kept |\n|---|---|---|---|---|---|"
)


def page() -> str:
    """Return the page's text."""
    parts = [HEAD]
    for name in get_args(PartName):
        rows = "\n".join(_row(name, provider) for provider in _order(name))
        parts.append(f"## {TITLES[name]}\n\n{_COLUMNS}\n{rows}\n")
    gone = [
        f"| {name} | `{provider}` | {retirement(name, provider)} |"
        for name, reasons in RETIRED.items()
        for provider in sorted(reasons)
    ]
    return "\n".join([*parts, "\n".join([GONE, *gone]), ""])


def _order(name: PartName) -> list[str]:
    return sorted(served(name), key=lambda provider: (provider == BUILT_IN, provider.startswith("custom-"), provider))


def _row(name: PartName, provider: str) -> str:
    vendor = vendor_of(name, provider)
    if vendor is None:
        raise KeyError(f"no vendor serves the {name} {provider}")
    used, kept = fields(name, provider)
    cells = (
        f"`{provider}`",
        ", ".join(evidence(name, provider, vendor)),
        _called(name, provider, vendor),
        _key(provider, vendor),
        _names(used),
        _names(kept),
    )
    return f"| {' | '.join(cells)} |"


def fields(name: PartName, provider: str) -> tuple[list[str], list[str]]:
    """Return the fields of Vapi's type of a part that have an effect, and those that are kept without one."""
    known = [field for field in _properties(name, provider) if field != "provider"]
    read = fields_read(name, provider, served(name)[provider])
    return [field for field in known if field in read], [field for field in known if field not in read]


def _properties(name: PartName, provider: str) -> list[str]:
    for member in contract.definitions()["CreateAssistantDTO"]["properties"][name]["oneOf"]:
        schema: dict[str, Any] = contract.definitions()[member["$ref"].rpartition("/")[2]]
        if schema["properties"]["provider"]["enum"] == [provider]:
            return sorted(schema["properties"])
    raise KeyError(f"Vapi has no {name} of provider {provider}")


def evidence(name: PartName, provider: str, vendor: VendorSpec) -> list[str]:
    """Return what a part is tested with, each as a link to it."""
    if vendor.name == "embedded":
        return ["itself"]
    found = [_link("our fake", path) for path in _first(_fakes(name, provider, vendor))]
    official = _first(OFFICIAL / f"test_{stem}_{SUFFIX[name]}.py" for stem in _stems(provider, vendor))
    found += [_link("official client", path) for path in official]
    if not official and name == "model" and _is_driven(provider):
        found.append(_link("OpenAI's client", OFFICIAL / "test_openai_llm.py"))
    return found


def _called(name: PartName, provider: str, vendor: VendorSpec) -> str:
    if vendor.name in ("embedded", "custom"):
        return "inside the package" if vendor.name == "embedded" else "your own server"
    for path in _first([RECORDINGS / f"{provider}_{name}.jsonl"]):
        return _link("recorded by an owner", path)
    return "not yet called for real"


def _fakes(name: PartName, provider: str, vendor: VendorSpec) -> Iterator[Path]:
    if vendor.name == "custom":
        yield FAKES / f"{OWN_SERVERS[name]}.py"
    for stem in _stems(provider, vendor):
        yield FAKES / "vendors" / f"{stem}_{SUFFIX[name]}.py"
    if name == "model" and provider in CHAT_VENDORS:
        yield FAKES / "vendors" / "chat_llm.py"


def _stems(provider: str, vendor: VendorSpec) -> list[str]:
    """Return the names that a vendor's files may begin with: the provider's own first."""
    own = provider.replace("-", "_")
    names = [own, own.rpartition("_")[2]] if provider != vendor.name.replace("_", "-") else [own]
    return list(dict.fromkeys([*names, vendor.name]))


def _is_driven(provider: str) -> bool:
    """Return whether the test with OpenAI's client names a provider."""
    path = OFFICIAL / "test_openai_llm.py"
    return path.is_file() and re.search(rf'"{re.escape(provider)}"', path.read_text(encoding="utf-8")) is not None


def _first(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.is_file()][:1]


def _link(text: str, path: Path) -> str:
    return f"[{text}](../{path.relative_to(ROOT).as_posix()})"


def _key(provider: str, vendor: VendorSpec) -> str:
    credential = f"`{provider}`" if provider in CredentialTypes().kinds else "-"
    if vendor.settings is None:
        return credential
    variables = ", ".join(f"`{one.name}`" for one in vendor.settings.variables() if one.name)
    return f"{credential}; {variables}"


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "-"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
    print(f"wrote {TARGET.relative_to(ROOT)}")
