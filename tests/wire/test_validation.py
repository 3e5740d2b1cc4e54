"""Requests that Vapi refuses are refused with its messages; requests that it accepts are accepted."""

from typing import Any

import pytest

from bargein.carriers.registry import PHONE_NUMBERS
from bargein.carriers.sip import VapiPhoneNumber
from bargein.carriers.twilio import TwilioPhoneNumber
from bargein.wire.assistant import Assistant, AssistantOverrides
from bargein.wire.call import CreateCall, CreateWebCall
from bargein.wire.customer import Customer
from bargein.wire.errors import WireError, parse_request


def refusal(model: Any, data: object) -> list[str]:
    with pytest.raises(WireError) as caught:
        parse_request(model, data)
    body = caught.value.body()
    assert body["error"] == "Bad Request"
    assert body["statusCode"] == 400
    assert isinstance(body["message"], list)
    return body["message"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"stopSpeakingPlan": {"numWords": 11}}, "stopSpeakingPlan.numWords must not be greater than 10"),
        ({"stopSpeakingPlan": {"numWords": -1}}, "stopSpeakingPlan.numWords must not be less than 0"),
        ({"stopSpeakingPlan": {"numWords": 1.5}}, "stopSpeakingPlan.numWords must be an integer number"),
        ({"stopSpeakingPlan": {"numWords": "3"}}, "stopSpeakingPlan.numWords must be an integer number"),
        ({"stopSpeakingPlan": {"voiceSeconds": 0.51}}, "stopSpeakingPlan.voiceSeconds must not be greater than 0.5"),
        (
            {"stopSpeakingPlan": {"backoffSeconds": 10.01}},
            "stopSpeakingPlan.backoffSeconds must not be greater than 10",
        ),
        (
            {"stopSpeakingPlan": {"voiceSeconds": True}},
            "stopSpeakingPlan.voiceSeconds must be a number conforming to the specified constraints",
        ),
        (
            {"stopSpeakingPlan": {"interruptionPhrases": ["ok", "x" * 241]}},
            "stopSpeakingPlan.each value in interruptionPhrases must be shorter than or equal to 240 characters",
        ),
        ({"stopSpeakingPlan": 3}, "stopSpeakingPlan must be an object"),
        ({"startSpeakingPlan": {"waitSeconds": 5.1}}, "startSpeakingPlan.waitSeconds must not be greater than 5"),
        (
            {"startSpeakingPlan": {"transcriptionEndpointingPlan": {"onNumberSeconds": 4}}},
            "startSpeakingPlan.transcriptionEndpointingPlan.onNumberSeconds must not be greater than 3",
        ),
        (
            {"startSpeakingPlan": {"smartEndpointingPlan": {"provider": "mine"}}},
            (
                "startSpeakingPlan.smartEndpointingPlan.provider must be one of the following values: "
                "vapi, livekit, krisp, custom-endpointing-model"
            ),
        ),
        (
            {
                "startSpeakingPlan": {
                    "customEndpointingRules": [{"type": "customer", "regex": "(", "timeoutSeconds": 1}]
                }
            },
            ('startSpeakingPlan.customEndpointingRules.0.regex must be a regular expression: missing ) at "("'),
        ),
        (
            {
                "startSpeakingPlan": {
                    "customEndpointingRules": [{"type": "assistant", "regex": "a", "timeoutSeconds": 16}]
                }
            },
            "startSpeakingPlan.customEndpointingRules.0.timeoutSeconds must not be greater than 15",
        ),
        (
            {"startSpeakingPlan": {"customEndpointingRules": [{"type": "user", "regex": "a", "timeoutSeconds": 1}]}},
            (
                "startSpeakingPlan.customEndpointingRules.0.type "
                "must be one of the following values: assistant, customer, both"
            ),
        ),
        ({"name": "x" * 41}, "name must be shorter than or equal to 40 characters"),
        ({"name": 7}, "name must be a string"),
        ({"foo": 1}, "property foo should not exist"),
        ({"num_words": 1}, "property num_words should not exist"),
        ({"first_message": "hi"}, "property first_message should not exist"),
        (
            {"firstMessageMode": "shout"},
            (
                "firstMessageMode must be one of the following values: assistant-speaks-first, "
                "assistant-speaks-first-with-model-generated-message, assistant-waits-for-user"
            ),
        ),
        ({"firstMessageInterruptionsEnabled": "yes"}, "firstMessageInterruptionsEnabled must be a boolean value"),
        ({"maxDurationSeconds": 9}, "maxDurationSeconds must not be less than 10"),
        ({"maxDurationSeconds": 43_201}, "maxDurationSeconds must not be greater than 43200"),
        ({"silenceTimeoutSeconds": 9}, "silenceTimeoutSeconds must not be less than 10"),
        ({"endCallPhrases": ["x"]}, "each value in endCallPhrases must be longer than or equal to 2 characters"),
        ({"endCallPhrases": "bye"}, "endCallPhrases must be an array"),
        ({"model": {"provider": "custom-llm", "model": "m"}}, "model.url should not be null or undefined"),
        ({"model": {"provider": "custom-llm", "model": "m", "url": "local"}}, "model.url must be a URL address"),
        (
            {"model": {"provider": "openai", "model": "m", "temperature": 3}},
            "model.temperature must not be greater than 2",
        ),
        ({"model": {"provider": "openai", "model": "m", "maxTokens": 49}}, "model.maxTokens must not be less than 50"),
        (
            {"model": {"provider": "openai", "model": "m", "messages": [{"role": "bot", "content": "x"}]}},
            "model.messages.0.role must be one of the following values: assistant, function, user, system, tool",
        ),
        (
            {"transcriber": {"provider": "ears"}},
            (
                "transcriber.provider must be one of the following values: custom-transcriber, vapi, "
                "assembly-ai, azure, deepgram, 11labs, gladia, google, speechmatics, talkscriber, openai, cartesia, "
                "soniox, xai"
            ),
        ),
        ({"transcriber": {}}, "transcriber.provider should not be null or undefined"),
        ({"voice": {"provider": "custom-voice"}}, "voice.server should not be null or undefined"),
        (
            {"voice": {"provider": "custom-voice", "server": {"url": "http://a", "timeoutSeconds": 301}}},
            "voice.server.timeoutSeconds must not be greater than 300",
        ),
        ({"server": {"url": ""}}, "server.url must be a URL address"),
        ({"server": {"url": "http://[::1"}}, "server.url must be a URL address"),
        ({"metadata": []}, "metadata must be an object"),
        ({"hooks": [1]}, "each value in hooks must be an object"),
    ],
)
def test_an_invalid_assistant_is_refused_with_vapis_message(data: dict[str, Any], message: str) -> None:
    assert refusal(Assistant, data) == [message]


def test_the_error_for_an_unknown_subscription_lists_the_known_ones() -> None:
    (message,) = refusal(Assistant, {"clientMessages": ["transcript", "gossip"]})
    assert message.startswith("each value in clientMessages must be one of the following values: conversation-update, ")
    assert "user-interrupted" in message


def test_all_problems_are_reported_together() -> None:
    data = {"foo": 1, "name": "x" * 41, "stopSpeakingPlan": {"numWords": 99, "voiceSeconds": 9}}
    assert refusal(Assistant, data) == [
        "property foo should not exist",
        "name must be shorter than or equal to 40 characters",
        "stopSpeakingPlan.numWords must not be greater than 10",
        "stopSpeakingPlan.voiceSeconds must not be greater than 0.5",
    ]


@pytest.mark.parametrize("data", [None, [], "x", 3])
def test_a_body_must_be_an_object(data: object) -> None:
    assert refusal(Assistant, data) == ["the body must be a JSON object"]


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        ({"sampleRate": 7999}, "transport.audioFormat.sampleRate must not be less than 8000"),
        ({"sampleRate": 48_001}, "transport.audioFormat.sampleRate must not be greater than 48000"),
        ({"sampleRate": "16000"}, "transport.audioFormat.sampleRate must be an integer number"),
        ({"format": "opus"}, "transport.audioFormat.format must be one of the following values: pcm_s16le, mulaw"),
        ({"container": "wav"}, "transport.audioFormat.container must be one of the following values: raw"),
    ],
)
def test_an_invalid_audio_format_is_refused_with_vapis_message(audio: dict[str, Any], message: str) -> None:
    data = {"assistantId": "a", "transport": {"provider": "vapi.websocket", "audioFormat": audio}}
    assert refusal(CreateCall, data) == [message]


def test_the_assistant_and_overrides_of_a_call_are_validated() -> None:
    data = {
        "assistant": {"stopSpeakingPlan": {"numWords": 99}},
        "assistantOverrides": {"startSpeakingPlan": {"waitSeconds": 6}},
        "transport": {"provider": "carrier-pigeon"},
        "customer": {"number": "1"},
    }
    assert set(refusal(CreateCall, data)) == {
        "assistant.stopSpeakingPlan.numWords must not be greater than 10",
        "assistantOverrides.startSpeakingPlan.waitSeconds must not be greater than 5",
        (
            "transport.provider must be one of the following values: "
            "vapi.websocket, vonage, twilio, vapi.sip, telnyx, daily"
        ),
        "customer.number must be longer than or equal to 3 characters",
    }


def test_null_means_not_given() -> None:
    parsed = parse_request(Assistant, {"name": None, "stopSpeakingPlan": {"numWords": None}, "model": None})
    assert parsed.name is None
    assert parsed.stop_speaking_plan is not None
    assert parsed.stop_speaking_plan.num_words is None


def test_whole_numbers_with_a_fraction_are_accepted() -> None:
    parsed = parse_request(Assistant, {"stopSpeakingPlan": {"numWords": 2.0, "voiceSeconds": 0}})
    assert parsed.stop_speaking_plan is not None
    assert parsed.stop_speaking_plan.num_words == 2
    assert parsed.to_json() == {"stopSpeakingPlan": {"numWords": 2, "voiceSeconds": 0}}


@pytest.mark.parametrize("kind", ["twilio", "vonage", "telnyx", "vapi", "byo-phone-number"])
def test_the_five_phone_numbers_need_exactly_what_vapi_needs(kind: str) -> None:
    required = {
        "twilio": {"number": "+14155550123", "twilioAccountSid": "AC1"},
        "vonage": {"number": "+14155550123", "credentialId": "c"},
        "telnyx": {"number": "+14155550123", "credentialId": "c"},
        "vapi": {},
        "byo-phone-number": {"credentialId": "c"},
    }[kind]
    whole = {"provider": kind, **required}
    assert PHONE_NUMBERS.parse(whole).to_json() == whole
    for missing in required:
        with pytest.raises(WireError, match=f"{missing} should not be null or undefined"):
            PHONE_NUMBERS.parse({name: value for name, value in whole.items() if name != missing})


def test_a_phone_number_of_no_known_provider_is_refused() -> None:
    with pytest.raises(WireError, match=r"^provider must be one of the following values: twilio, vonage, telnyx, vapi"):
        PHONE_NUMBERS.parse({"provider": "smoke-signal"})


def test_phone_numbers_are_typed() -> None:
    twilio = PHONE_NUMBERS.parse({"provider": "twilio", "number": "1", "twilioAccountSid": "s", "twilioAuthToken": "t"})
    assert isinstance(twilio, TwilioPhoneNumber)
    assert twilio.twilio_auth_token == "t"
    with pytest.raises(WireError, match=r"authentication\.username must be longer than or equal to 20 characters"):
        PHONE_NUMBERS.parse({"provider": "vapi", "authentication": {"username": "u", "password": "p" * 20}})
    assert isinstance(PHONE_NUMBERS.parse({"provider": "vapi", "numberDesiredAreaCode": "415"}), VapiPhoneNumber)


def test_a_customer_has_all_of_vapis_fields() -> None:
    data = {
        "number": "+14155550123",
        "numberE164CheckEnabled": False,
        "extension": "12",
        "sipUri": "sip:a@example.org",
        "name": "Ada",
        "email": "ada@example.org",
        "externalId": "42",
        "assistantOverrides": {"variableValues": {"x": 1}},
        "later": {"kept": True},
    }
    customer = Customer.from_json(data)
    assert customer.number_e164_check_enabled is False
    assert customer.external_id == "42"
    assert customer.to_json() == data


LEGACY = {
    "silenceTimeoutSeconds": 30,
    "messagePlan": {},
    "serverUrl": "https://example.org/hook",
    "serverUrlSecret": "s",
    "server": {"url": "https://example.org", "secret": "s"},
    "backgroundDenoisingEnabled": True,
    "recordingEnabled": True,
    "responseDelaySeconds": 0.4,
    "llmRequestDelaySeconds": 0.1,
    "numWordsToInterruptAssistant": 2,
    "customerJoinTimeoutSeconds": 15,
    "endCallFunctionEnabled": True,
    "hipaaEnabled": False,
    "smartEndpointingEnabled": "livekit",
}


def test_fields_of_old_clients_are_accepted() -> None:
    assert parse_request(Assistant, LEGACY).to_json() == LEGACY
    assert parse_request(CreateCall, {"assistantId": "a", "metadata": {"a": 1}}).metadata == {"a": 1}
    web = {"assistantId": "a", "assistantOverrides": {}, "metadata": {}, "roomDeleteOnUserLeaveEnabled": True}
    assert parse_request(CreateWebCall, web).to_json() == web


def test_fields_that_only_overrides_have() -> None:
    overrides = {"variableValues": {"name": "Ada"}, "tools:append": [{"type": "endCall"}], "firstMessage": "hi"}
    assert parse_request(AssistantOverrides, overrides).to_json() == overrides
    assert refusal(Assistant, overrides) == [
        "property variableValues should not exist",
        "property tools:append should not exist",
    ]
