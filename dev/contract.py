"""Generate `src/bargein/wire/contract.json` from Vapi's OpenAPI document: `python -m dev.contract vapi-openapi.json`.

With `--check` nothing is written, and the exit status is 1 if a file differs from the document. A digest of each type
of the document is written to `tests/data/vapi-structure.json`; with it the tests compare the file with the document
without having the document.

Only structure is copied: names, types, ranges, enums, required fields, discriminators, and plain defaults. Sentences,
titles and examples are left out. OpenAPI 3.0 becomes JSON Schema 2020-12. Where the document contradicts Vapi's own
wire format it is repaired; a comment at each repair says why.
"""

import argparse
import hashlib
import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

_ROOT = Path(__file__).resolve().parents[1]
TARGET = _ROOT / "src" / "bargein" / "wire" / "contract.json"
DIGESTS = _ROOT / "tests" / "data" / "vapi-structure.json"
OLD, NEW = "#/components/schemas/", "#/$defs/"

ROOT_PREFIXES = ("ClientMessage", "ServerMessage", "ClientInboundMessage")
ROOTS = (
    "Assistant", "CreateAssistantDTO", "UpdateAssistantDTO", "Call", "CreateCallDTO", "UpdateCallDTO",
    "CallBatchResponse", "CallPaginatedResponse", "Squad", "CreateSquadDTO", "UpdateSquadDTO", "Session",
    "CreateSessionDTO", "UpdateSessionDTO", "SessionPaginatedResponse", "Chat", "CreateChatDTO", "CreateWebChatDTO",
    "StructuredOutput", "UpdateStructuredOutputDTO", "StructuredOutputPaginatedResponse", "StructuredOutputRunDTO",
    "WebChat", "ChatPaginatedResponse", "OpenAIResponsesRequest", "ResponseObject", "File", "UpdateFileDTO",
    "PhoneNumberPaginatedResponse", "Eval", "CreateEvalDTO", "UpdateEvalDTO", "EvalPaginatedResponse", "EvalRun",
    "CreateEvalRunDTO", "EvalRunPaginatedResponse", "Personality", "CreatePersonalityDTO", "UpdatePersonalityDTO",
    "Scenario", "CreateScenarioDTO", "UpdateScenarioDTO", "GenerateScenariosDTO", "GenerateScenariosResponse",
    "Simulation", "CreateSimulationDTO", "UpdateSimulationDTO", "SimulationSuite", "CreateSimulationSuiteDTO",
    "UpdateSimulationSuiteDTO", "SimulationRun", "CreateSimulationRunDTO", "CreateSimulationRunResponse",
    "SimulationRunsPaginatedResponse", "SimulationRunItem", "SimulationConcurrencyResponse",
)  # fmt: skip
UNIONS = {
    "Tool": ("/tool", "post", "response"),
    "CreateToolDTO": ("/tool", "post", "request"),
    "UpdateToolDTO": ("/tool/{id}", "patch", "request"),
    "PhoneNumber": ("/phone-number", "post", "response"),
    "CreatePhoneNumberDTO": ("/phone-number", "post", "request"),
    "UpdatePhoneNumberDTO": ("/phone-number/{id}", "patch", "request"),
}
"""Unions in the paths of the document that have no name there."""

KEPT = (
    "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "format", "required", "default",
)  # fmt: skip
DISCRIMINATORS = ("type", "provider", "on", "role", "transport")

NAMES_THAT_GO_ON_GROWING = re.compile(r"(Model|Voice|Transcriber|KnowledgeBase)$")
_LONG = 300
NEWER_PATHS = {
    "/traffic-allocations": ["GET", "POST"],
    "/traffic-allocations/latest": ["GET"],
    "/traffic-allocations/{id}": ["GET"],
}
"""Paths that Vapi's own clients have, and the document does not have yet."""
METHODS = ("get", "post", "put", "patch", "delete")
GROWING = ("model", "fallbackModels", "voiceId")
"""Vendors release models and voices every week, so that a list of their names is soon out of date."""


def main() -> int:
    """Read the document that the command line names, and write the two files or compare them with it."""
    parser = argparse.ArgumentParser(prog="python -m dev.contract", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("document", type=Path, help="Vapi's OpenAPI document, as JSON")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file would change")
    given = parser.parse_args()
    document = json.loads(given.document.read_text(encoding="utf-8"))
    made = contract(deepcopy(document))  # the repairs modify their argument
    texts = {
        TARGET: rendered(made, endpoints(document)),
        DIGESTS: json.dumps(digests(document, [*made]), indent=0) + "\n",
    }
    differing = [path for path, text in texts.items() if path.read_text(encoding="utf-8") != text]
    for path in differing:
        print(f"{path.relative_to(_ROOT)} differs from the document")
        if not given.check:
            path.write_text(texts[path], encoding="utf-8")
    return int(bool(differing) and given.check)


def digests(document: Schema, names: list[str]) -> dict[str, str]:
    """Return a digest of the structure of each type of the document, without repairs."""
    source = {name: plain(schema, name) for name, schema in document["components"]["schemas"].items()}
    for name, where in UNIONS.items():
        source[name] = plain(_in_the_paths(document, *where), name)
    return {name: digest(source[name], source) for name in names if name in source}


def digest(schema: Schema, definitions: dict[str, Schema]) -> str:
    """Return a digest of a type that is the same before and after `tell_apart` and `share_long_lists`."""
    text = json.dumps(_as_in_the_document(schema, definitions), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _as_in_the_document(node: Any, definitions: dict[str, Schema]) -> Any:
    if isinstance(node, list):
        return [_as_in_the_document(value, definitions) for value in node]
    if not isinstance(node, dict):
        return node
    shared = definitions.get(str(node.get("$ref", "")).removeprefix(NEW), {})
    if set(shared) == {"type", "enum"} and len(shared["enum"]) > _LONG:
        return shared
    return {
        {"anyOf": "oneOf"}.get(name, name): _as_in_the_document(value, definitions)
        for name, value in node.items()
        if name != "discriminator" or (isinstance(value, dict) and "type" in value)  # a property of that name stays
    }


def endpoints(document: Schema) -> dict[str, list[str]]:
    """Return every path of Vapi's API with its methods; path parameters are called `id`."""
    found = {
        re.sub(r"\{\w+\}", "{id}", path): [method.upper() for method in METHODS if method in operations]
        for path, operations in sorted(document["paths"].items())
    }
    return dict(sorted({**NEWER_PATHS, **found}.items()))


def rendered(definitions: dict[str, Schema], paths: dict[str, list[str]]) -> str:
    """Return the data file's text: a definition a line, so that changes are readable."""
    lines = [f"{json.dumps(name)}:{json.dumps(body, separators=(',', ':'))}" for name, body in definitions.items()]
    return '{"paths":' + json.dumps(paths, separators=(",", ":")) + ',\n"$defs":{\n' + ",\n".join(lines) + "\n}}\n"


def contract(document: Schema) -> dict[str, Schema]:
    """Return the definitions by name, sorted."""
    found: dict[str, Schema] = document["components"]["schemas"]
    source = {name: plain(schema, name) for name, schema in found.items()}
    for name, where in UNIONS.items():
        source[name] = plain(_in_the_paths(document, *where), name)
    repair(source)
    for schema in source.values():
        tell_apart(schema, source)
    share_long_lists(source)
    roots = [name for name in source if name.startswith(ROOT_PREFIXES)]
    return dict(sorted((name, source[name]) for name in closure(source, [*roots, *ROOTS, *UNIONS])))


def share_long_lists(definitions: dict[str, Schema]) -> None:
    """Name each enum of hundreds of values that occurs in several places."""
    shared: dict[str, str] = {}
    for schema in [*definitions.values()]:
        properties = schema.get("properties", {})
        for name, value in properties.items():
            if len(value.get("enum", ())) > _LONG and value.get("type") == "string":
                title = shared.setdefault(json.dumps(value), name[0].upper() + name[1:] + str(len(shared) or ""))
                definitions[title] = value
                properties[name] = _ref(title)


def _in_the_paths(document: Schema, path: str, method: str, side: str) -> Schema:
    operation = document["paths"][path][method]
    body = operation["requestBody"] if side == "request" else operation["responses"]["201"]
    return body["content"]["application/json"]["schema"]


def closure(definitions: dict[str, Schema], roots: list[str]) -> set[str]:
    """Return the names of all definitions that are reachable from `roots`."""
    reached: set[str] = set()
    left = list(roots)
    while left:
        name = left.pop()
        if name not in reached:
            reached.add(name)
            left += references(definitions[name])
    return reached


def references(node: object) -> list[str]:
    """Return the names of the definitions that a schema refers to."""
    if isinstance(node, dict):
        here = [node["$ref"].removeprefix(NEW)] if isinstance(node.get("$ref"), str) else []
        return here + [name for value in node.values() for name in references(value)]
    return [name for value in node for name in references(value)] if isinstance(node, list) else []


def plain(schema: Schema, owner: str) -> Schema:
    """Return a schema in JSON Schema 2020-12, without its texts."""
    if "$ref" in schema:
        return {"$ref": schema["$ref"].replace(OLD, NEW)}
    wrapped = schema.get("allOf")
    if wrapped and len(wrapped) == 1:  # OpenAPI 3.0 wraps a reference to describe it
        return plain(wrapped[0], owner)
    if "oneOf" in schema:
        return _union([plain(member, owner) for member in schema["oneOf"]])
    made = {key: schema[key] for key in KEPT if key in schema}
    made |= _kind(schema)
    if isinstance(made.get("default"), str) and " " in made["default"]:
        del made["default"]  # a sentence
    if isinstance(schema.get("pattern"), str):
        # a regular expression literal of JavaScript, with slashes and flags
        made["pattern"] = re.sub(r"^/(.*)/[a-z]*$", r"\1", schema["pattern"])
    if isinstance(schema.get("items"), dict):
        made["items"] = plain(schema["items"], owner)
    if "properties" in schema:
        made["properties"] = {name: _property(name, value, owner) for name, value in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), dict):
        made["additionalProperties"] = plain(schema["additionalProperties"], owner)
    return made


def _kind(schema: Schema) -> Schema:
    kind, values = schema.get("type"), schema.get("enum")
    if kind == "array":
        values = None  # the document's generator repeats an enum of items on their array
    elif values and kind == "object":
        kind = "string"  # it also gives some enums of strings the type object
    made: Schema = {"type": [kind, "null"] if schema.get("nullable") else kind} if kind else {}
    return made | ({"enum": [*dict.fromkeys(values)]} if values else {})


def _property(name: str, schema: Schema, owner: str) -> Schema:
    made = plain(schema, owner)
    if name in GROWING and NAMES_THAT_GO_ON_GROWING.search(owner):
        made.pop("enum", None)
        made.get("items", {}).pop("enum", None)
    if "enum" in made:
        made.pop("maxLength", None)
    if made.get("type") == "array" and "maxLength" in made:
        made["items"]["maxLength"] = made.pop("maxLength")  # the document's generator writes it on the array
    return made


def _union(members: list[Schema]) -> Schema:
    """Return a union without the members that another member includes."""
    for kind in ("string", "number"):
        if {"type": kind} in members:
            members = [one for one in members if one == {"type": kind} or one.get("type") != kind]
    if len(members) > 1 and all(set(one) == {"type", "enum"} for one in members):
        kinds = {
            one["type"]: [*dict.fromkeys(v for m in members if m["type"] == one["type"] for v in m["enum"])]
            for one in members
        }
        members = [{"type": kind, "enum": values} for kind, values in kinds.items()]
    members = list({json.dumps(one): one for one in members}.values())
    if {one.get("type") for one in members} >= {"string", "number", "boolean", "object", "array"}:
        return {}
    return members[0] if len(members) == 1 else {"oneOf": members}


def tell_apart(node: object, definitions: dict[str, Schema]) -> None:
    """Name, at each union of objects, the property that discriminates its members."""
    if isinstance(node, list):
        for value in node:
            tell_apart(value, definitions)
    if not isinstance(node, dict):
        return
    for value in list(node.values()):
        tell_apart(value, definitions)
    if not isinstance(node.get("oneOf"), list):
        return
    members = [definitions[one["$ref"].removeprefix(NEW)] for one in node["oneOf"] if "$ref" in one]
    for name in DISCRIMINATORS:
        unmarked = [one for one in members if name not in one.get("required", ())]
        if len(members) > 1 and len(unmarked) <= 1 and all(_marks(one, name) for one in members):
            node["discriminator"] = {"propertyName": name}
            break
    if not _exclusive(node, members):
        node["anyOf"] = node.pop("oneOf")  # the document uses oneOf for unions whose members overlap


def _marks(member: Schema, name: str) -> list[str]:
    mark = member.get("properties", {}).get(name, {})
    return mark.get("enum") or ([mark["pattern"]] if "pattern" in mark else [])


def _exclusive(union: Schema, members: list[Schema]) -> bool:
    if len(members) < len(union["oneOf"]):
        kinds = ["object" if "$ref" in one else str(one.get("type")) for one in union["oneOf"]]
        return len(set(kinds)) == len(kinds)
    marks = [mark for one in members for mark in _marks(one, union.get("discriminator", {}).get("propertyName", ""))]
    return bool(marks) and len(set(marks)) == len(marks)


def repair(definitions: dict[str, Schema]) -> None:
    """Correct the document where it contradicts Vapi's own wire format."""
    # Vapi's documentation gives defaults for all fields of an audio format, and clients omit some.
    definitions["AudioFormat"].pop("required")
    # Each of these three allows the names of the other two.
    for name, provider in (
        ("VapiSmartEndpointingPlan", "vapi"),
        ("LivekitSmartEndpointingPlan", "livekit"),
        ("CustomEndpointingModelSmartEndpointingPlan", "custom-endpointing-model"),
    ):
        definitions[name]["properties"]["provider"]["enum"] = [provider]
    # The document calls a language's code and an HTTP status (or a range of these) objects.
    for name in ("NeuphonicVoice", "FallbackNeuphonicVoice"):
        definitions[name]["properties"]["language"] = {"type": "string"}
        # Vapi's page on this vendor has voices without a language.
        definitions[name]["required"].remove("language")
    definitions["BackoffPlan"]["properties"]["excludedStatusCodes"]["items"] = {"type": ["number", "object"]}
    # The embedded voice of this server has no name.
    for name in ("VapiVoice", "FallbackVapiVoice"):
        definitions[name]["required"].remove("voiceId")
    # The messages of a history are discriminated by a role that the document does not fix.
    for name, role in (
        ("UserMessage", "user"), ("SystemMessage", "system"), ("BotMessage", "bot"),
        ("ToolCallMessage", "tool_calls"), ("ToolCallResultMessage", "tool_call_result"),
    ):  # fmt: skip
        definitions[name]["properties"]["role"]["enum"] = [role]
    # The messages of a prompt are OpenAI's; those of a history need times.
    say = definitions["SayHookAction"]["properties"]
    say["prompt"] = {"oneOf": [{"type": "string"}, {"type": "array", "items": _ref("OpenAIPromptMessage")}]}
    definitions["OpenAIPromptMessage"] = {
        "type": "object",
        "properties": {
            "role": {"type": "string", "enum": ["system", "user", "assistant", "tool", "developer"]},
            "content": {"type": ["string", "array", "null"]},
        },
        "required": ["role"],
    }
    # A part of a model's response is a string on the wire, or the tool calls.
    for side in ("Client", "Server"):
        definitions[f"{side}MessageModelOutput"]["properties"]["output"] = {"type": ["string", "array", "object"]}
    # Vapi's documents show the arguments of a tool call in messages as an object, which receivers read without parsing;
    # in the messages of a history they are text, as OpenAI has them.
    definitions["ToolCallFunction"]["properties"]["arguments"] = {"type": ["string", "object"]}
    # Subscription to finals alone: the document has it for servers only, here it exists for clients too.
    for schema in definitions.values():
        for name in {"clientMessages"} & schema.get("properties", {}).keys():
            schema["properties"][name]["items"]["enum"].append('transcript[transcriptType="final"]')
    _repair_by_documentation(definitions)
    _add_newer_fields(definitions)
    _repair_hooks(definitions)
    _repair_json_schema(definitions)
    _repair_evals(definitions)
    _add_messages(definitions)


def _ref(name: str) -> Schema:
    return {"$ref": NEW + name}


def _repair_by_documentation(definitions: dict[str, Schema]) -> None:
    """Correct the document where Vapi's own pages contradict it."""
    # "Can be '#', '*', or an empty array": Vapi's page on card numbers has an array.
    keys = definitions["KeypadInputPlan"]["properties"]["delimiters"]
    definitions["KeypadInputPlan"]["properties"]["delimiters"] = {
        "oneOf": [keys, {"type": "array", "items": {"type": "string", "enum": ["#", "*"]}}]
    }
    # Vapi's page on transcribers has an example without a vocabulary.
    for name in ("SpeechmaticsTranscriber", "FallbackSpeechmaticsTranscriber"):
        definitions[name]["required"].remove("customVocabulary")
    # The page on assistant-based warm transfers has this field; the document has its type, which no field refers to.
    definitions["TransferPlan"]["properties"]["transferAssistant"] = _ref("TransferAssistant")
    # The fields before there was a plan for each part of an analysis, which Vapi's pages still have.
    timeout = {"type": "number", "minimum": 1, "maximum": 60}
    definitions["AnalysisPlan"]["properties"] |= {
        "summaryPrompt": {"type": "string"},
        "summaryRequestTimeoutSeconds": timeout,
        "structuredDataPrompt": {"type": "string"},
        "structuredDataSchema": _ref("JsonSchema"),
        "structuredDataRequestTimeoutSeconds": timeout,
        "successEvaluationPrompt": {"type": "string"},
        "successEvaluationRubric": definitions["SuccessEvaluationPlan"]["properties"]["rubric"],
        "successEvaluationRequestTimeoutSeconds": timeout,
    }
    # A request without a method is a POST.
    definitions["CreateApiRequestToolDTO"]["properties"]["method"]["default"] = "POST"
    # The page on the voice pipeline has a fourth plan.
    definitions["KrispSmartEndpointingPlan"] = {
        "type": "object",
        "properties": {
            "provider": {"type": "string", "enum": ["krisp"]},
            "threshold": {"type": "number", "minimum": 0, "maximum": 1},
        },
        "required": ["provider"],
    }
    plan = definitions["StartSpeakingPlan"]["properties"]["smartEndpointingPlan"]
    plan["oneOf"].append(_ref("KrispSmartEndpointingPlan"))


def _add_newer_fields(definitions: dict[str, Schema]) -> None:
    """Add what Vapi's own clients have had since, and the document does not have yet."""
    definitions["KeypadInputPlan"]["properties"] |= {
        "variableName": {"type": "string", "minLength": 1, "maxLength": 40},
        "triggerResponseEnabled": {"type": "boolean"},
    }
    for name in ("ElevenLabsTranscriber", "FallbackElevenLabsTranscriber"):
        definitions[name]["properties"]["keyterms"] = {"type": "array", "items": {"type": "string", "maxLength": 100}}


def _repair_hooks(definitions: dict[str, Schema]) -> None:
    """Add three documented hooks that are in no union; two events are strings with a condition in brackets."""
    for name, event in (
        ("CallHookCustomerSpeechTimeout", "customer.speech.timeout"),
        ("CallHookTranscriberEndpointedSpeechLowConfidence", "assistant.transcriber.endpointedSpeechLowConfidence"),
    ):
        pattern = rf"^{event.replace('.', chr(92) + '.')}(\[[^\[\]=]+=[^\[\]=]+\])?$"
        definitions[name]["properties"]["on"] = {"type": "string", "pattern": pattern}
    actions = definitions["CallHookAssistantSpeechInterrupted"]["properties"]["do"]
    # According to the documentation a hook may speak at the end of a call; two older actions are in no union.
    definitions["CallHookCallEnding"]["properties"]["do"] = actions
    actions["items"]["oneOf"] += [_ref("TransferHookAction"), _ref("FunctionCallHookAction")]
    for name in ("CallHookCustomerSpeechInterrupted", "CallHookCustomerSpeechTimeout", "CallHookModelResponseTimeout",
                 "CallHookTranscriberEndpointedSpeechLowConfidence"):  # fmt: skip
        definitions[name]["properties"]["do"] = actions
    definitions["CallHookTimeElapsed"] = {
        "type": "object",
        "properties": {
            "on": {"type": "string", "enum": ["call.timeElapsed"]},
            "do": actions,
            "options": {
                "type": "object",
                "properties": {"seconds": {"type": "number", "minimum": 1, "maximum": 43_200}},
                "required": ["seconds"],
            },
            "name": {"type": "string", "maxLength": 1000},
        },
        "required": ["on", "do", "options"],
    }
    more = [
        _ref(f"CallHook{name}")
        for name in ("TranscriberEndpointedSpeechLowConfidence", "ModelResponseTimeout", "TimeElapsed")
    ]
    known = {one["$ref"] for one in definitions["CreateAssistantDTO"]["properties"]["hooks"]["items"]["oneOf"]}
    for schema in definitions.values():
        members = schema.get("properties", {}).get("hooks", {}).get("items", {}).get("oneOf", [])
        if {one.get("$ref") for one in members} == known:
            members += [one for one in more if one["$ref"] not in known]


def _repair_json_schema(definitions: dict[str, Schema]) -> None:
    """Allow all of JSON Schema in a tool's parameters: the model receives them unchanged, not a part of them."""
    schema = definitions["JsonSchema"]
    schema.pop("required")
    kinds = [*schema["properties"]["type"]["enum"], "null"]
    one = {"type": "string", "enum": kinds}
    schema["properties"] = {
        "type": {"oneOf": [one, {"type": "array", "items": one}]},
        "items": {"type": ["object", "array", "boolean"]},
        "properties": {"type": "object", "additionalProperties": _ref("JsonSchema")},
        "required": {"type": "array", "items": {"type": "string"}},
        "enum": {"type": "array"},
        "description": {"type": "string"},
        "title": {"type": "string"},
        "pattern": {"type": "string"},
        "format": {"type": "string"},
    }


def _repair_evals(definitions: dict[str, Schema]) -> None:
    """Allow any model as a judge, and add the latency expectations that Vapi's clients have and the document lacks."""
    # The text of the field says that it defaults to the assistant's model, which may be of any provider.
    judge = definitions["AssistantMessageJudgePlanAI"]
    judge["required"].remove("model")
    own = judge["properties"]["model"]["oneOf"]
    marks = {mark for one in own for mark in _marks(definitions[one["$ref"].removeprefix(NEW)], "provider")}
    own += [
        one
        for one in definitions["CreateAssistantDTO"]["properties"]["model"]["oneOf"]
        if not marks & {*_marks(definitions[one["$ref"].removeprefix(NEW)], "provider")}
    ]
    # A check of tool calls alone has no words to compare.
    for name in ("AssistantMessageJudgePlanExact", "AssistantMessageJudgePlanRegex"):
        definitions[name]["required"].remove("content")
    # Vapi's guide reads the verdict of a check here.
    verdict: Schema = {
        "type": "object",
        "properties": {"status": {"type": "string", "enum": ["pass", "fail"]}, "failureReason": {"type": "string"}},
        "required": ["status"],
    }
    for name in ("ChatEvalAssistantMessageMock", "ChatEvalToolResponseMessageMock"):
        definitions[name]["properties"]["judge"] = verdict
    # A run that is not over has not ended, one that waits has not begun.
    for name in ("endedReason", "startedAt", "endedAt"):
        definitions["EvalRun"]["required"].remove(name)
    measured: Schema = {
        "metric": {"type": "string", "enum": ["turn", "model", "voice"]},
        "aggregation": {"type": "string", "enum": ["mean", "median", "p95", "max"]},
        "thresholdMs": {"type": "number", "minimum": 0},
        "required": {"type": "boolean", "default": True},
    }
    definitions["LatencyExpectation"] = {
        "type": "object",
        "properties": measured,
        "required": ["metric", "aggregation", "thresholdMs"],
    }
    definitions["LatencyEvaluationResult"] = {
        "type": "object",
        "properties": {
            **measured,
            "required": {"type": "boolean"},
            "actualMs": {"type": "number"},
            "sampleCount": {"type": "number"},
            "passed": {"type": "boolean"},
            "isSkipped": {"type": "boolean"},
            "skipReason": {"type": "string"},
        },
        "required": ["metric", "aggregation", "thresholdMs", "sampleCount", "passed", "required"],
    }
    for name in ("Scenario", "CreateScenarioDTO", "UpdateScenarioDTO"):
        expectations = {"type": "array", "items": _ref("LatencyExpectation")}
        definitions[name]["properties"]["latencyExpectations"] = expectations
    results = definitions["SimulationRunItemResults"]["properties"]
    results["latencyEvaluations"] = {"type": "array", "items": _ref("LatencyEvaluationResult")}


def _add_messages(definitions: dict[str, Schema]) -> None:
    """Add messages that clients receive by default but that the document describes for servers only."""
    server = definitions["ServerMessageStatusUpdate"]["properties"]
    envelope = definitions["ClientMessageHang"]["properties"]
    definitions["ClientMessageStatusUpdate"] = {
        "type": "object",
        "properties": {
            **{name: value for name, value in envelope.items() if name != "type"},
            **{name: server[name] for name in ("type", "status", "endedReason")},
        },
        "required": ["type", "status"],
    }
    definitions["ClientMessageToolCompleted"] = {  # it can be subscribed to, but the document does not describe it
        "type": "object",
        "properties": {
            **{name: value for name, value in envelope.items() if name != "type"},
            "type": {"type": "string", "enum": ["tool.completed"]},
            "toolCall": _ref("ToolCall"),
            "toolCallResult": {"type": "object"},
        },
        "required": ["type", "toolCall", "toolCallResult"],
    }
    for side in ("Client", "Server"):  # the older form of `tool-calls`, which can still be subscribed to
        envelope = definitions[f"{side}MessageHang"]["properties"]
        definitions[f"{side}MessageFunctionCall"] = {
            "type": "object",
            "properties": {
                **envelope,
                "type": {"type": "string", "enum": ["function-call"]},
                "functionCall": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "parameters": {"type": "object"}},
                    "required": ["name", "parameters"],
                },
            },
            "required": ["type", "functionCall"],
        }
    _add_tools_with_calls(definitions)
    for side in ("Client", "Server"):
        update = definitions[f"{side}MessageConversationUpdate"]["properties"]
        update["conversation"] = {"type": "array", "items": _ref("OpenAIMessage")}  # Vapi's iOS client reads it
    definitions["ServerMessageAssistantStarted"] = definitions["ClientMessageAssistantStarted"]


def _add_tools_with_calls(definitions: dict[str, Schema]) -> None:
    """Report calls of any tool, not only of the seven kinds that the document lists."""
    listed = definitions["ClientMessageToolCalls"]["properties"]["toolWithToolCallList"]["items"]["oneOf"]
    marks = {mark for one in listed for mark in _marks(definitions[one["$ref"].removeprefix(NEW)], "type")}
    tools = [definitions[one["$ref"].removeprefix(NEW)] for one in definitions["CreateToolDTO"]["oneOf"]]
    others = [mark for tool in tools for mark in _marks(tool, "type") if mark not in marks]
    definitions["OtherToolWithToolCall"] = {
        "type": "object",
        "properties": {"type": {"type": "string", "enum": others}, "toolCall": _ref("ToolCall")},
        "required": ["type", "toolCall"],
    }
    for side in ("Client", "Server"):
        calls = definitions[f"{side}MessageToolCalls"]["properties"]["toolWithToolCallList"]
        calls["items"] = {"oneOf": [*listed, _ref("OtherToolWithToolCall")]}


if __name__ == "__main__":
    raise SystemExit(main())
