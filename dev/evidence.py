"""The tests that prove messages and tools to work. A test checks that each exists and names its message or tool."""

_ALL = "tests/call/test_messages.py::test_every_message_is_valid_and_only_what_was_asked_for_is_sent"
_TOOL = "tests/call/test_tools.py::test_a_tool_is_run_and_its_result_is_answered"
_TOLD = "tests/call/test_server_messages.py::test_everything_that_is_asked_for_comes_whole_and_in_order"
_HANDOFF = "tests/call/test_handoff.py"
_SDK = "tests/sdk/test_messages.py::test_every_message_is_read_and_nothing_of_it_is_lost"
_WHOLE_CALL = (
    "tests/call/test_call_in_messages.py::test_the_call_of_every_server_message_is_the_call_that_the_api_returns"
)
_CONTROLS = "tests/call/test_controls.py"

CLIENT = {
    **dict.fromkeys(
        (
            "assistant.speechStarted", "assistant.started", "conversation-update", "hang", "model-output",
            "speech-update", "status-update", "transcript", "user-interrupted", "voice-input",
        ),
        _ALL,
    ),
    "tool-calls": _TOOL,
    "function-call": _WHOLE_CALL,
    "tool-calls-result": _TOOL,
    "tool.completed": _TOOL,
    "transfer-update": f"{_HANDOFF}::test_a_squads_member_hands_over_to_another_which_hears_and_can_be_interrupted",
}  # fmt: skip

SERVER = {
    **dict.fromkeys(
        (
            "assistant.speechStarted", "assistant.started", "conversation-update", "end-of-call-report", "hang",
            "model-output", "speech-update", "status-update", "transcript", "user-interrupted", "voice-input",
        ),
        _TOLD,
    ),
    "tool-calls": "tests/tools/test_function.py::test_the_request_is_vapis_tool_calls_message",
    "function-call": _WHOLE_CALL,
    **dict.fromkeys(
        ("chat.created", "chat.deleted", "session.created", "session.updated", "session.deleted"),
        "tests/server/test_owner_events.py::test_chats_and_sessions_send_events",
    ),
    **dict.fromkeys(
        ("call.deleted", "call.delete.failed"),
        "tests/server/test_owner_events.py::test_several_calls_are_deleted_and_send_events",
    ),
    "assistant-request": "tests/call/test_inbound.py::test_a_public_receiver_names_a_transient_assistant",
    "voice-request": "tests/providers/test_custom_tts.py::test_the_request_is_vapis",
    "handoff-destination-request": f"{_HANDOFF}::test_the_owners_server_names_who_takes_over",
    "transfer-destination-request": f"{_HANDOFF}::test_an_owner_who_forwards_calls_himself_is_told_where_to",
    **dict.fromkeys(("phone-call-control", "transfer-update", "call.endpointing.request"), _SDK),
}  # fmt: skip

INBOUND = {
    "add-message": f"{_CONTROLS}::test_an_added_message_never_cuts_and_is_answered",
    "control": f"{_CONTROLS}::test_a_muted_assistant_is_silent",
    "say": f"{_CONTROLS}::test_say_is_said_after_what_is_being_said",
    "handoff": f"{_HANDOFF}::test_a_client_hands_the_call_over_without_its_history",
    "transfer": f"{_HANDOFF}::test_a_socket_cannot_be_transferred_and_everybody_is_told",
    "end-call": f"{_CONTROLS}::test_a_call_is_ended_by_its_caller_or_from_outside",
    "hangup": f"{_CONTROLS}::test_a_call_is_ended_by_its_caller_or_from_outside",
}

_CARRIERS = "tests/carriers/test_conformance.py"

TOOLS = {
    "function": "tests/tools/test_function.py::test_the_request_is_vapis_tool_calls_message",
    "apiRequest": "tests/tools/test_api_request.py::TestRequest::test_the_models_arguments_are_the_body",
    "mcp": "tests/tools/test_mcp.py::test_a_servers_tools_are_declared_and_called",
    "query": "tests/tools/test_query.py::TestFinding::test_the_passage_that_answers_comes_first_with_its_file",
    "handoff": f"{_HANDOFF}::test_the_owners_server_names_who_takes_over",
    "transferCall": f"{_HANDOFF}::test_an_owner_who_forwards_calls_himself_is_told_where_to",
    "dtmf": f"{_CARRIERS}::test_the_model_sends_keys_and_text_messages_where_the_carrier_can",
    "sms": f"{_CARRIERS}::test_the_model_sends_keys_and_text_messages_where_the_carrier_can",
    "code": "tests/tools/test_code.py::test_code_gets_its_arguments_and_returns_a_result",
    "bash": "tests/tools/test_kinds.py::test_anthropics_tools_are_sent_to_the_owners_server",
    "computer": "tests/tools/test_kinds.py::test_anthropics_tools_are_sent_to_the_owners_server",
    "textEditor": "tests/tools/test_kinds.py::test_anthropics_tools_are_sent_to_the_owners_server",
    "voicemail": "tests/call/test_endings.py::test_an_answering_machine_gets_the_message_before_the_end",
    "endCall": "tests/call/test_tools.py::test_end_call_ends_the_call_once_the_goodbye_has_been_heard",
}

NOTES = {
    "transfer": "works where the carrier can transfer; over a WebSocket it is refused with 501",
    "sms": "works in calls over Twilio, Telnyx and Vonage; elsewhere the model gets an error",
    "code": "works with `BARGEIN_CODE_RUNTIME`; without it, the model gets an error that says so",
    "bash": "works: sent to the owner's server",
    "computer": "works: sent to the owner's server",
    "textEditor": "works: sent to the owner's server",
    "dtmf": "works where the carrier can press keys; elsewhere the model gets an error",
    "transferCall": (
        "works where the carrier can transfer or the owner's server forwards; elsewhere the model gets an error"
    ),
}
"""Texts in place of "works", for messages and tools."""

FIELDS = {
    "voicemailDetection": (
        "works in outbound telephone calls: voicemails, call screening services and menus are known by their words in "
        "16 languages, a voicemail by its beep too, and with provider `twilio` by the carrier; no model is asked"
    ),
    "analysisPlan": "works: a summary, structured data and an evaluation of each call, by the assistant's model",
    "observabilityPlan": "works: a trace of each call is sent to Langfuse",
    "compliancePlan": "`hipaaEnabled` and `pciEnabled` work: nothing of what is said is stored; the rest is kept",
    "transportConfigurations": (
        "works in outbound telephone calls: `timeout` for how long a telephone rings; `record` and `recordingChannels` "
        "at Twilio"
    ),
    **dict.fromkeys(
        ("backgroundDenoisingEnabled", "backgroundSpeechDenoisingPlan"),
        "works with a denoiser of the operator's (`BARGEIN_DENOISER`); none is packaged, since none that was measured "
        "improves the transcript",
    ),
    "customerJoinTimeoutSeconds": "works: for how long a call over a socket waits for its client",
    "responseDelaySeconds": "works as `startSpeakingPlan.waitSeconds`, where that is not set",
    "llmRequestDelaySeconds": "works: the least pause of the caller after which the model is asked",
}
"""Texts in place of "works", for fields of an assistant."""

LISTS = {"EVERYTHING": _TOLD, "CLIENT_MESSAGES": _ALL}
"""Tests that name messages through a list of their module or of the product, and assert that all of them occurred."""
