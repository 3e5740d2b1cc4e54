"""The rule for secrets: a secret belongs to the address that the owner set it for.

Whoever changes the address, or is not the owner, gets none. In detail:

1. All JSON has an author. The owner's is what is stored, what comes with the private key, and what the owner's server
   answers. A caller's is what comes with the public key, and what a client sends during a call.
2. A record (call, chat, session) knows its author (`MADE_BY`). Inside an assistant the objects that a caller wrote have
   a mark (`marked`), which is set by the server alone and is shown to nobody.
3. An override that leads an object to another address takes the secrets of the object from it, unless it brings its own
   (`separated`): for the owner that is another origin (scheme, user, host, port), for a caller any other URL. A
   model that a caller leads elsewhere also loses the owner's prompt and tools, and a server that a caller set is told
   what pages are told (`bargein.wire.client_view`).
4. A template that a caller wrote sees the variables of callers alone (`callers_text`). An address that an owner's
   template makes out of anything but the owner's variables is not the owner's (`bargein.tools.api_request`).
5. An object with a mark names only the credentials that a caller brought along; one without a mark only the owner's
   (`may_use`).
6. Without a mark, a provider gets the owner's credentials. With one, it gets them only if its address is the vendor's
   own, which no JSON changes (`has_address`).
"""

from collections.abc import Iterable, Sequence
from typing import Literal
from urllib.parse import urlsplit

from bargein.wire.base import JsonObject
from bargein.wire.json import as_list, as_list_or_none, as_object, as_object_or_none, as_objects, as_string
from bargein.wire.redact import AUTHOR_MARK, is_secret_name

Author = Literal["owner", "caller"]
"""The author of some JSON: the owner of the server, or a caller, who may be anyone with the public key."""

MADE_BY = "madeBy"
"""A field of the stored record of a call, chat or session: its `Author`. Vapi's types have no field for it."""

LAYERS = "overrideLayers"
"""A field of the stored record of a chat that several authors wrote: `{"participants": Author, "overrides": […]}`.

`participants` is the author of its assistant or squad; `overrides` are the `assistantOverrides` with their authors, in
order, as `[overrides, Author]`.
"""

Layer = tuple[JsonObject, Author]
"""`assistantOverrides`, and who wrote them."""

_ADDRESS_ENDINGS = ("url", "uri", "endpoint", "host", "hostname", "domain")
_ADDRESS_OF_ASSISTANT = "serverUrl"
_SECRET_OF_ASSISTANT = "serverUrlSecret"  # noqa: S105  # the name of a field
_REFERENCES = frozenset({"credentialId", "credentialIds"})
"""Fields that name credentials."""
_FREE_FORM = frozenset({
    "metadata", "variableValues", "headers", "parameters", "properties", "body", "schema", "function",
    "variableExtractionPlan",
})  # fmt: skip
"""Fields whose contents have no addresses; they would be sent on with a mark in them."""
_TEXTS = frozenset({
    "firstMessage", "endCallMessage", "voicemailMessage", "content", "text", "exact", "prompt", "message", "liquid",
    "idleMessages",
})  # fmt: skip
"""Fields with templates whose texts are rendered away from the object that holds them."""
_CALLERS_TEXT = "{% comment %}caller{% endcomment %}"
"""The mark of a text: Liquid renders it as nothing."""
_FOR_THE_MODEL = frozenset({
    "messages", "systemPrompt", "tools", "toolIds", "toolRefs", "knowledgeBase", "knowledgeBaseId",
})  # fmt: skip
"""Fields of a model that it is sent: those of the owner are not for a model of the caller's."""
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def author_of(record: JsonObject) -> Author:
    """Return who made a record. One without the field has the rights of a caller."""
    return _author(record.get(MADE_BY))


def made_by(record: JsonObject, author: Author) -> JsonObject:
    """Return a record as it is stored: with its author."""
    return {**record, MADE_BY: author}


def without_author(record: JsonObject) -> JsonObject:
    """Return a stored record as others may see it: without its authors."""
    return {name: value for name, value in record.items() if name not in (MADE_BY, LAYERS)}


def layers_of(record: JsonObject) -> tuple[Author, list[Layer]]:
    """Return the author of a record's assistant or squad, and its `assistantOverrides` with their authors, in order."""
    author, stored = author_of(record), as_object_or_none(record.get(LAYERS))
    if stored is None:
        return author, [(as_object(record.get("assistantOverrides")), author)]
    found = [as_list(one) for one in as_list(stored.get("overrides"))]
    return _author(stored.get("participants")), [(as_object(one[0]), _author(one[1])) for one in found if len(one) == 2]


def _author(value: object) -> Author:
    return "owner" if value == "owner" else "caller"


def with_layers(record: JsonObject, participants: Author, layers: Sequence[Layer]) -> JsonObject:
    """Return a record with the authors of its assistant or squad and of its overrides."""
    return {**record, LAYERS: {"participants": participants, "overrides": [[one, by] for one, by in layers]}}


def least_of(author: Author, before: JsonObject) -> Author:
    """Return the lesser of an author's rights and those of the record that is continued; empty: there is none."""
    return author if not before else "owner" if author == author_of(before) == "owner" else "caller"


def is_callers(given: JsonObject) -> bool:
    """Return whether an object was written by a caller, or leads to an address that a caller set."""
    return given.get(AUTHOR_MARK) == "caller"


def marked(given: JsonObject, author: Author) -> JsonObject:
    """Return an assistant, squad, overrides or destination in which the objects that a caller wrote have a mark.

    The owner's are returned as they are. A mark that the JSON itself contains has no effect.
    """
    if author == "owner" or not given:
        return given
    copy = as_object(_marked(given))
    url = copy.pop(_ADDRESS_OF_ASSISTANT, None)
    secret = copy.pop(_SECRET_OF_ASSISTANT, None)
    if url is not None and as_object_or_none(copy.get("server")) is None:
        # the older form of `server`, which has no place for a mark
        copy["server"] = {"url": url, **({"secret": secret} if secret is not None else {}), AUTHOR_MARK: "caller"}
    return copy


def _marked(value: object, name: str = "") -> object:
    if isinstance(value, str):
        return callers_text(value) if name in _TEXTS else value
    items = as_list_or_none(value)
    if items is not None:
        return [_marked(item, name) for item in items]
    fields = as_object_or_none(value)
    if fields is None:
        return value
    copy = {name: inner if name in _FREE_FORM else _marked(inner, name) for name, inner in fields.items()}
    return {**copy, AUTHOR_MARK: "caller"}


def callers_text(text: str) -> str:
    """Return a text with the mark of a caller, if it has templates: they see the variables of callers alone."""
    has_templates = "{{" in text or "{%" in text
    return _CALLERS_TEXT + text if has_templates and not is_callers_text(text) else text


def is_callers_text(text: str) -> bool:
    """Return whether a text has the mark of a caller."""
    return text.startswith(_CALLERS_TEXT)


def plain_text(text: str) -> str:
    """Return a text without the mark of a caller."""
    return text.removeprefix(_CALLERS_TEXT)


def without_marks(given: JsonObject) -> JsonObject:
    """Return a copy of an assistant without marks, as its author wrote it."""
    return as_object(_unmarked(given))


def _unmarked(value: object) -> object:
    items = as_list_or_none(value)
    if items is not None:
        return [_unmarked(item) for item in items]
    fields = as_object_or_none(value)
    if fields is None:
        return plain_text(value) if isinstance(value, str) else value
    return {name: _unmarked(inner) for name, inner in fields.items() if name != AUTHOR_MARK}


def credentials_named(given: JsonObject) -> list[str]:
    """Return the paths of the fields that name stored credentials: all but those that name one of `credentials`."""
    known: set[object] = set()
    found: list[tuple[str, object]] = []
    _collect(given, "", known, found)
    return [path for path, name in found if name not in known]


def _collect(value: object, path: str, known: set[object], found: list[tuple[str, object]]) -> None:
    for index, item in enumerate(as_list_or_none(value) or ()):
        _collect(item, f"{path}.{index}", known, found)
    for name, inner in as_object(value).items():
        where = f"{path}.{name}".lstrip(".")
        if name == "credentials":
            known.update(one.get(key) for one in as_objects(inner) for key in ("id", "name") if one.get(key))
        elif name in _REFERENCES and inner is not None:
            found.append((where, as_string(inner)))
        elif name not in _FREE_FORM:
            _collect(inner, where, known, found)


def has_address(part: JsonObject) -> bool:
    """Return whether a model, voice or transcriber names an address; if not, its address is the vendor's own."""
    return bool(_addresses(part)) or any(_addresses(as_object(inner)) for inner in part.values())


def leads_to_caller(part: JsonObject) -> bool:
    """Return whether a model, voice or transcriber has an address that a caller set."""
    named = [part, *(as_object(inner) for inner in part.values())]
    return any(is_callers(one) and bool(_addresses(one)) for one in named)


def may_use(named_by: JsonObject, inline: Iterable[JsonObject]) -> list[JsonObject]:
    """Return the inline credentials (`assistant.credentials`) that an object may name by its `credentialId`.

    Args:
        named_by: the object: a `server` or a tool. Only one without a mark may name a stored credential, too.
        inline: the credentials of the assistant, with their marks.
    """
    return [one for one in inline if is_callers(one) == is_callers(named_by)]


def separated(base: JsonObject, changes: JsonObject, author: Author, field: str = "") -> tuple[JsonObject, JsonObject]:
    """Return an object and the changes to it without the secrets that do not belong to the resulting address.

    Args:
        base: the object, with its mark; empty: there is none yet.
        changes: the fields to replace, null to remove (RFC 7386); a caller's are marked.
        author: who makes the changes.
        field: the name of the field that holds the object; empty for an assistant.
    """
    if field in _FREE_FORM:
        return base, changes
    changes = {name: value for name, value in changes.items() if name != AUTHOR_MARK or not base}
    if not base:
        return base, changes
    before = _addresses(base)
    after = {name: value for name, value in {**before, **_addresses(changes)}.items() if value is not None}
    moved = {name for name in before.keys() | after.keys() if _differ(before.get(name), after.get(name), base, author)}
    if _ADDRESS_OF_ASSISTANT in moved:
        base = {name: value for name, value in base.items() if name != _SECRET_OF_ASSISTANT}
    if moved - {_ADDRESS_OF_ASSISTANT}:
        kept = _without_own_secrets(base)
        if field == "model" and author == "caller" and not is_callers(base):
            kept = {name: value for name, value in kept.items() if name not in _FOR_THE_MODEL}
        kept.pop(AUTHOR_MARK, None)
        return (kept | {AUTHOR_MARK: "caller"} if author == "caller" else kept), changes
    if is_callers(base) and author == "owner":
        return base, _without_own_secrets(changes)
    if not is_callers(base) and author == "caller":
        return base, {name: value for name, value in changes.items() if name not in _REFERENCES}
    return base, changes


def without_credentials_of_moved(
    before: JsonObject, merged: JsonObject, changes: JsonObject, parts: Iterable[str]
) -> JsonObject:
    """Return an assistant without the inline credentials of the providers that the owner's overrides lead elsewhere.

    Args:
        before: the assistant before the overrides.
        merged: the assistant with the overrides.
        changes: the overrides; if they bring `credentials`, those are for the new addresses.
        parts: the names of the fields with a provider.
    """
    if "credentials" in changes or not as_objects(merged.get("credentials")):
        return merged
    moved: set[object] = set()
    for part in parts:
        old, new = as_object(before.get(part)), as_object(merged.get(part))
        if old and _origins_of(old) != _origins_of(new):
            moved.add(new.get("provider"))
    if not moved:
        return merged
    kept = [one for one in as_objects(merged["credentials"]) if is_callers(one) or one.get("provider") not in moved]
    return {**merged, "credentials": kept}


def origin_of(url: object) -> object:
    """Return the origin of a URL with its user: scheme, user, host, port. What is no URL is returned as it is."""
    text = as_string(url)
    if text is None:
        return url
    try:
        parts = urlsplit(text.strip())
        scheme = parts.scheme.lower()
        port = parts.port or _DEFAULT_PORTS.get(scheme)
    except ValueError:
        return text
    if not parts.hostname or "{" in parts.netloc:
        return text
    return (scheme, parts.username, parts.password, parts.hostname.lower(), port)


def _origins_of(part: JsonObject) -> dict[str, object]:
    found = {name: origin_of(url) for name, url in _addresses(part).items()}
    for outer, inner in part.items():
        found |= {f"{outer}.{name}": origin_of(url) for name, url in _addresses(as_object(inner)).items()}
    return found


def _addresses(given: JsonObject) -> JsonObject:
    return {name: value for name, value in given.items() if _is_address_name(name)}


def _is_address_name(name: str) -> bool:
    return name.lower().endswith(_ADDRESS_ENDINGS) and not is_secret_name(name)


def _differ(before: object, after: object, base: JsonObject, author: Author) -> bool:
    if before == after:
        return False
    if author == "caller":
        return True
    if before is None and not is_callers(base):
        return False  # the owner gives the secrets that had none an address
    return origin_of(before) != origin_of(after) or is_callers(base)


def _without_own_secrets(given: JsonObject) -> JsonObject:
    """Return an object without secrets; objects inside it that have an address of their own keep theirs."""
    kept: JsonObject = {}
    for name, value in given.items():
        if is_secret_name(name) or name in _REFERENCES:
            continue
        inner = as_object_or_none(value)
        kept[name] = value if inner is None or _addresses(inner) else _without_own_secrets(inner)
    return kept
