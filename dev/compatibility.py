"""Generate `docs/reference/compatibility.md` from the code: `python -m dev.compatibility`, or `make compatibility`.

The page follows from the types of the server's messages, its routes, its table of unsupported paths, its list of
vendors, the tools that it runs, and the fields of an assistant that its code reads. A message counts as working
only with a test that causes it (`dev.evidence`).
"""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any, get_args

from bargein.providers.interface import PartName
from bargein.providers.registry import RETIRED, served
from bargein.server.api.routes.unsupported import ABSENT
from bargein.server.app import create_app
from bargein.testing.settings import make_settings
from bargein.tools.kinds import need_of
from bargein.wire import contract
from bargein.wire.assistant import Assistant, ClientMessageType, ServerMessageType
from bargein.wire.client_controls import parse_client_control
from bargein.wire.client_messages import CLIENT_MESSAGES
from bargein.wire.errors import WireError
from bargein.wire.server_messages import SERVER_MESSAGES
from bargein.wire.tools import TOOLS
from dev import evidence

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "reference" / "compatibility.md"
FINALS = 'transcript[transcriptType="final"]'

HEAD = """# Compatibility

The parts of Vapi's API that this server implements. This page is generated from the code by `make compatibility`, and
a test checks that it is current.

- **works**: implemented. For a message or a tool, the test that proves it is named.
- **kept**: checked, stored and returned, without effect on a call. A message of this kind can be subscribed to, and is
  never sent.
- **501**: the server answers `501 Not Implemented`, in Vapi's error shape.
- **no**: not there; the path answers 404.
"""

INTRODUCTIONS = {
    "Providers": """A request that names a provider of the last column is refused with 400 and the reason: nobody can
call it any more. What each vendor is tested against, and which fields of its types have an effect, is in
[providers](../providers.md).""",
}
"""Sentences between a heading and its table."""

UNPROVEN = "done, without a test that causes it"
"""No row may have this text; a test checks that."""

Table = list[tuple[str, ...]]


def main() -> None:
    """Write the page."""
    TARGET.write_text(page())


def page() -> str:
    """Return the page's text."""
    parts = [HEAD]
    for title, head, rows in (
        ("Messages to clients", ("message", "", "test"), client_messages()),
        ("Messages to servers", ("message", "", "test"), server_messages()),
        ("Messages from clients", ("message", "", "test"), inbound_messages()),
        ("Endpoints", ("path", "works", "501", "no"), endpoint_rows()),
        ("Fields of an assistant", ("field", ""), assistant_fields()),
        ("Providers", ("part", "works", "refused at once"), providers()),
        ("Tools", ("type", "", "test"), tools()),
    ):
        text = f"{INTRODUCTIONS[title]}\n\n" if title in INTRODUCTIONS else ""
        parts.append(f"## {title}\n\n{text}{_table(head, rows)}\n")
    return "\n".join(parts)


def _table(head: tuple[str, ...], rows: Table) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def client_messages() -> Table:
    """Return every message that Vapi sends a client, or that a client can subscribe to."""
    asked = {*get_args(ClientMessageType)}
    known = {*contract.messages("ClientMessage"), *asked, *CLIENT_MESSAGES} - {FINALS}
    sent = {*CLIENT_MESSAGES}
    return [_message(kind, sent, asked, evidence.CLIENT) for kind in sorted(known)]


def server_messages() -> Table:
    """Return every message that Vapi sends a server."""
    asked = {*get_args(ServerMessageType)}
    known = {*contract.messages("ServerMessage"), *asked, *SERVER_MESSAGES} - {FINALS}
    used = "".join(path.read_text() for path in _code() if path.parts[-2] != "wire")
    sent = {kind for kind in known if f'"{kind}"' in used or kind in CLIENT_MESSAGES}
    sent |= {kind for kind, model in SERVER_MESSAGES.items() if model.__name__ in used}
    sent |= {"end-of-call-report"}  # which a record makes by itself: `ended_messages`
    return [_message(kind, sent, asked, evidence.SERVER) for kind in sorted(known)]


def _code() -> list[Path]:
    return sorted((ROOT / "src" / "bargein").rglob("*.py"))


def _message(kind: str, sent: set[str], asked: set[str], tests: dict[str, str]) -> tuple[str, str, str]:
    if kind in sent and kind in tests:
        return f"`{kind}`", "works", f"`{tests[kind]}`"
    if kind in sent:
        return f"`{kind}`", UNPROVEN, ""
    return f"`{kind}`", "kept" if kind in asked else "no", ""


def inbound_messages() -> Table:
    """Return every message that Vapi accepts from a client."""
    kinds = {*contract.messages("ClientInboundMessage"), "handoff", "hangup"}
    return [(f"`{kind}`", *_inbound(kind)) for kind in sorted(kinds)]


def _inbound(kind: str) -> tuple[str, str]:
    try:
        parse_client_control({"type": kind})
    except WireError as error:
        if error.status == 501:
            return "501", ""
        if any(text.startswith("type ") for text in error.messages):
            return "no", ""
    return (
        (evidence.NOTES.get(kind, "works"), f"`{evidence.INBOUND[kind]}`")
        if kind in evidence.INBOUND
        else (UNPROVEN, "")
    )


def endpoint_rows() -> Table:
    """Return every path of Vapi's API, and those that its clients use but its document does not have."""
    here = _here()
    absent = {_plain(path): {*methods} for path, methods in ABSENT.items()}
    rows: Table = []
    beside = {
        path: [*here[path]]
        for path in ("/call/web", "/chat/web", "/credential", "/credential/{id}", "/v2/call")
        if path in here
    }
    for path, methods in sorted({**beside, **contract.endpoints()}.items()):
        works = [method for method in methods if method in here.get(path, ())]
        refused = [method for method in methods if method not in works and method in absent.get(path, ())]
        missing = [method for method in methods if method not in works and method not in refused]
        rows.append((f"`{path}`", " ".join(sorted(works)), " ".join(refused), " ".join(missing)))
    return rows


@cache
def _here() -> dict[str, set[str]]:
    paths = create_app(make_settings()).openapi()["paths"]
    found: dict[str, set[str]] = {}
    for path, operations in paths.items():
        done = {
            method
            for method, operation in operations.items()
            if any(code.startswith("2") for code in operation["responses"])
        }
        found.setdefault(_plain(path), set()).update(method.upper() for method in done)
    return found


def _plain(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{id}", path)


def assistant_fields() -> Table:
    """Return every field of an assistant, and whether any code of a call reads it."""
    read = _fields_read()
    names = {name: field.alias or name for name, field in Assistant.model_fields.items()}
    return [(f"`{name}`", evidence.FIELDS.get(name, "works") if name in read else "kept") for name in names.values()]


@cache
def _fields_read() -> frozenset[str]:
    aliases = {name: field.alias or name for name, field in Assistant.model_fields.items()}
    found: set[str] = set()
    for path in _code():
        package = path.relative_to(ROOT / "src" / "bargein").parts[0]
        if package == "client" or path.name == "variables.py":
            continue  # code that only carries or fills in a field does not act on it
        for node in ast.walk(ast.parse(path.read_text())):
            if package == "wire":  # the types name every field; the functions beside them read some
                found |= {name for name in _read_from_json(node) if name in aliases.values()}
                continue
            found |= {aliases[name] for name in _attributes(node) if name in aliases}
            found |= {name for name in _strings(node) if name in aliases.values()}
    return frozenset(found)


def _attributes(node: ast.AST) -> list[str]:
    """Find `assistant.first_message`."""
    return [node.attr] if isinstance(node, ast.Attribute) and _is_assistant(node.value) else []


def _strings(node: ast.AST) -> list[str]:
    """Find `assistant.get("hooks")`, `assistant["hooks"]`, and names that only a field of an assistant has."""
    if read := _read_from_json(node):
        return read
    if isinstance(node, ast.Subscript) and _is_assistant(node.value) and isinstance(node.slice, ast.Constant):
        return [str(node.slice.value)]
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != node.value.lower():
        return [node.value]
    return []


def _read_from_json(node: ast.AST) -> list[str]:
    """Find `assistant.get("hooks")`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_assistant(node.func):
        return [arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    return []


def _is_assistant(node: ast.expr) -> bool:
    """Return whether an expression is named as an assistant, or as the owner of a server, which may be an assistant."""
    if isinstance(node, ast.Attribute) and node.attr == "get":
        node = node.value
    if isinstance(node, ast.Call):  # `assistant()` returns the current assistant
        node = node.func
    if isinstance(node, ast.BoolOp):
        node = node.values[0]
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return "assistant" in name or name == "owner"


def providers() -> Table:
    """Return every provider of Vapi's types: those that a vendor serves, and those that nobody can call any more."""
    rows: Table = []
    for part in get_args(PartName):
        known = sorted(parts(part))
        works = [f"`{name}`" for name in known if name in served(part)]
        refused = [f"`{name}`" for name in known if name in RETIRED.get(part, {})]
        rows.append((part, ", ".join(works), ", ".join(refused)))
    return rows


def parts(part: str) -> dict[str, dict[str, Any]]:
    """Return, by provider, the smallest valid transcriber, model or voice of an assistant."""
    found: dict[str, dict[str, Any]] = {}
    for member in contract.definitions()["CreateAssistantDTO"]["properties"][part]["oneOf"]:
        schema = contract.definitions()[member["$ref"].rpartition("/")[2]]
        (provider,) = schema["properties"]["provider"]["enum"]
        found[provider] = {name: _least(schema["properties"][name]) for name in schema["required"]}
    return found


def _least(schema: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return {"url": "https://example.org"}
    return schema["enum"][0] if "enum" in schema else [] if schema["type"] == "array" else "https://example.org"


def tools() -> Table:
    """Return every type of tool."""
    return [(f"`{kind}`", *_tool(kind)) for kind in TOOLS]


def _tool(kind: str) -> tuple[str, str]:
    if kind in evidence.TOOLS:
        return evidence.NOTES.get(kind, "works"), f"`{evidence.TOOLS[kind]}`"
    need = need_of({"type": kind}, code=True)
    return f"kept; a call of it goes to its `server`, or the model gets an error. It {need}", ""


if __name__ == "__main__":
    main()
