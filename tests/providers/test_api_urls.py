"""A key goes to the address that its credential names (`apiUrl`), and to no other host."""

from typing import Any, cast

import httpx
import pytest

from bargein.clock import LoopClock
from bargein.providers.interface import EmbeddedProviders, Resources
from bargein.providers.registry import TRANSCRIBERS, VOICES
from bargein.testing import make_settings
from bargein.webhooks.guard import AddressGuard

pytestmark = pytest.mark.anyio

GUARD = AddressGuard(allow_private=False)
EU = "https://api.eu.residency.elevenlabs.io"


def resources(client: httpx.AsyncClient, provider: str, **credential: str) -> Resources:
    return Resources(
        settings=make_settings(**{f"{provider}_api_key": "key-of-the-settings"}),
        clock=LoopClock(),
        client=client,
        guarded_client=client,
        addresses=GUARD,
        embedded=cast("EmbeddedProviders", None),
        credentials={provider: {"provider": provider, **credential}} if credential else {},
        auth=None,
        context={},
    )


async def transcriber_target(provider: str, given: Resources) -> Any:
    part = TRANSCRIBERS[provider]
    made: Any = part.create(part.config.from_json({"provider": provider}), given)
    return await made.dialect.target()


async def voice_target(provider: str, given: Resources) -> Any:
    part = VOICES[provider]
    made: Any = part.create(part.config.from_json({"provider": provider, "voiceId": "v"}), given, 16_000)
    return made._target


TARGETS = {
    "deepgram transcriber": ("deepgram", transcriber_target, "api.deepgram.com"),
    "deepgram voice": ("deepgram", voice_target, "api.deepgram.com"),
    "cartesia transcriber": ("cartesia", transcriber_target, "api.cartesia.ai"),
    "cartesia voice": ("cartesia", voice_target, "api.cartesia.ai"),
    "soniox transcriber": ("soniox", transcriber_target, "stt-rt.soniox.com"),
}


@pytest.mark.parametrize("case", TARGETS)
@pytest.mark.parametrize("url", ["speech.example", "wss://speech.example/", "https://speech.example"])
async def test_a_host_of_the_owners_is_asked_by_the_guard_and_no_other_is(case: str, url: str) -> None:
    provider, target_of, _ = TARGETS[case]
    async with httpx.AsyncClient() as client:
        target = await target_of(provider, resources(client, provider, apiKey="its-own-key", apiUrl=url))
    assert (target.endpoint.url.scheme, target.endpoint.url.host) == ("https", "speech.example")
    assert target.addresses is GUARD
    assert "its-own-key" in str(dict(target.endpoint.headers))


@pytest.mark.parametrize("case", TARGETS)
async def test_without_one_it_is_the_vendors(case: str) -> None:
    provider, target_of, host = TARGETS[case]
    async with httpx.AsyncClient() as client:
        for given in ({"apiKey": "its-own-key"}, {"apiUrl": "https://speech.example"}, {}):
            target = await target_of(provider, resources(client, provider, **given))
            assert target.endpoint.url.host == host, "the key of the settings is not for the credential's host"
            assert target.addresses is None


async def test_the_path_of_soniox_may_be_in_the_address() -> None:
    async with httpx.AsyncClient() as client:
        given = resources(client, "soniox", apiKey="k", apiUrl="wss://stt-rt.eu.soniox.com/transcribe-websocket")
        target = await transcriber_target("soniox", given)
    assert target.socket_url == "wss://stt-rt.eu.soniox.com/transcribe-websocket"


@pytest.mark.parametrize(("url", "host"), [(EU, EU), ("https://attacker.example", "https://api.elevenlabs.io")])
async def test_elevenlabs_has_two_hosts_alone(url: str, host: str) -> None:
    async with httpx.AsyncClient() as client:
        given = resources(client, "elevenlabs")
        own = {"11labs": {"provider": "11labs", "apiKey": "k", "apiUrl": url}}
        fields = {name: getattr(given, name) for name in Resources.__slots__}
        target = await transcriber_target("11labs", Resources(**{**fields, "credentials": own}))
    assert str(target.endpoint.url).startswith(f"{host}/")
