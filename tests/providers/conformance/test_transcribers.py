"""The transcribers of all vendors against their fakes: the same words, errors and time limits for all."""

from itertools import pairwise

import anyio
import httpx
import pytest
from structlog.testing import capture_logs

from bargein.clock import LoopClock
from bargein.ports import ProviderError
from bargein.providers.audio_socket import SocketLimits
from bargein.testing.vendors.speech_peer import SpeechPeer
from bargein.wire import contract
from tests.providers.conformance.transcribers import (
    VENDORS,
    Caller,
    Vendor,
    calling,
    growing,
    make_transcriber,
    scripted,
)

pytestmark = pytest.mark.anyio

TEXT = "I would like to book a table."
CLOCK = LoopClock()


@pytest.fixture(params=VENDORS, ids=lambda name: name)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return VENDORS[request.param]


async def test_an_utterance_is_partials_and_one_final(vendor: Vendor) -> None:
    async with scripted(vendor, TEXT) as fake, calling(vendor, fake) as caller:
        caller.feed(400)
        caller.say(900)
        caller.fall_silent()
        final = await caller.final()
        partials = [told for told in caller.told if not told.final]
        assert final.text == TEXT
        assert (final.confidence is not None) == vendor.has_confidence
        words = [told.text.rstrip(".").lower() for told in partials]  # marks and capitals may come later
        assert growing(words)
        if vendor.speaks_interim:
            assert words[-1] == TEXT.rstrip(".").lower()
        await anyio.sleep(0.1)  # nothing more is told
        assert caller.told[-1] is final
        assert fake.connections[0].finalizes <= 1


async def test_two_utterances_are_two_finals(vendor: Vendor) -> None:
    async with scripted(vendor, TEXT, "For two people.") as fake, calling(vendor, fake) as caller:
        for number in range(2):
            caller.feed(400)
            caller.say(900)
            caller.fall_silent()
            await caller.final(number)
        assert caller.finals == [TEXT, "For two people."]


async def test_a_voice_without_words_has_an_empty_final(vendor: Vendor) -> None:
    async with scripted(vendor) as fake, calling(vendor, fake) as caller:
        caller.say(500)
        caller.fall_silent()
        assert (await caller.final()).text == ""
        assert [told.final for told in caller.told] == [True]


async def test_an_answer_that_does_not_come_is_not_waited_for(vendor: Vendor) -> None:
    async with scripted(vendor, TEXT, answers=False) as fake, calling(vendor, fake) as caller:
        timeout_ms = caller.stream._dialect.finalize_timeout_ms  # type: ignore[attr-defined]
        caller.say(900)
        await fake.connection(received_ms=800)
        await anyio.sleep(0.1)
        began_ms = CLOCK.monotonic_ms()
        caller.fall_silent()
        final = await caller.final()
        took_ms = CLOCK.monotonic_ms() - began_ms
        assert final.text == (TEXT if vendor.speaks_interim else "")
        assert timeout_ms - 50 <= took_ms < timeout_ms + 500


async def test_words_that_come_after_the_final_are_told_once(vendor: Vendor) -> None:
    """The fake answers after the transcriber has given up: with the words it had, and one more."""
    late_ms = 300
    async with scripted(vendor, TEXT) as fake, calling(vendor, fake) as caller:
        timeout_ms = caller.stream._dialect.finalize_timeout_ms  # type: ignore[attr-defined]
        slow = {"answer_after_ms": timeout_ms + late_ms} if vendor.answers else {"endpoint_ms": 400}
        fake.script = scripted(vendor, TEXT, **slow).script
        caller.say(430)
        await fake.connection(received_ms=400)
        await anyio.sleep(0.1)
        caller.fall_silent()
        first = await caller.final()
        caller.feed(200)
        await anyio.sleep((late_ms + 200) / 1000)
        told = " ".join(text for text in caller.finals if text)
        assert told == "I would like to book"
        if vendor.speaks_interim:
            assert first.text == "I would like to book"
            assert len(caller.finals) == 1


async def test_a_pause_before_the_end_makes_the_final_early(vendor: Vendor) -> None:
    async with scripted(vendor, TEXT) as fake, calling(vendor, fake) as caller:
        pauses = caller.stream._dialect.finalizes_pauses  # type: ignore[attr-defined]
        caller.say(900)
        caller.feed(100)
        caller.stream.voice_paused()
        if pauses:
            await caller.until(lambda: any(told.complete for told in caller.told))
            assert [told.text for told in caller.told if told.complete] == [TEXT]
        caller.feed(200)
        count = len(caller.told)
        caller.stream.voice_stopped()
        if pauses:
            assert caller.finals == [TEXT]
            assert len(caller.told) == count + 1
        assert (await caller.final()).text == TEXT
        assert fake.connections[0].finalizes <= 1


async def test_a_pause_in_the_middle_ends_nothing(vendor: Vendor) -> None:
    async with scripted(vendor, TEXT) as fake, calling(vendor, fake) as caller:
        caller.say(430)
        caller.feed(100)
        caller.stream.voice_paused()
        await fake.connection(received_ms=400)
        await anyio.sleep(0.1)
        caller.stream.voice_resumed()
        caller.say(430)
        caller.fall_silent()
        assert (await caller.final()).text == TEXT
        assert len(caller.finals) == 1


async def test_a_final_in_mid_word_and_the_rest_after_it(vendor: Vendor) -> None:
    async with scripted(vendor, TEXT) as fake, calling(vendor, fake) as caller:
        caller.say(430)
        caller.stream.voice_stopped()
        assert (await caller.final()).text == "I would like to book"
        caller.say(430)
        caller.fall_silent()
        assert (await caller.final(1)).text == "a table."


async def test_an_answer_that_takes_its_time_is_waited_for(vendor: Vendor) -> None:
    async with scripted(vendor, TEXT, answer_after_ms=300) as fake, calling(vendor, fake) as caller:
        caller.say(900)
        caller.fall_silent()
        assert (await caller.final()).text == TEXT


async def test_messages_that_come_twice_are_told_once(vendor: Vendor) -> None:
    async with scripted(vendor, TEXT, "And a chair.", repeats=2) as fake, calling(vendor, fake) as caller:
        for number in range(2):
            caller.feed(400)
            caller.say(900)
            caller.fall_silent()
            await caller.final(number)
            await anyio.sleep(0.1)  # the second of each message has come
        assert [text for text in caller.finals if text] == [TEXT, "And a chair."]
        partials = [told.text for told in caller.told if not told.final]
        assert all(one != other for one, other in pairwise(partials))


async def test_a_word_that_is_said_twice_is_told_twice(vendor: Vendor) -> None:
    async with scripted(vendor, "Yes.", partials=False) as fake, calling(vendor, fake) as caller:
        for number in range(3):
            caller.feed(300)
            caller.say(400)
            caller.fall_silent()
            await caller.final(number)
        assert caller.finals == ["Yes."] * 3


async def test_letters_of_all_languages_arrive(vendor: Vendor) -> None:
    text = "Grüße an Зоя und 東京 \U0001f44b"
    async with scripted(vendor, text) as fake, calling(vendor, fake) as caller:
        caller.say(900)
        caller.fall_silent()
        assert (await caller.final()).text == text


async def test_messages_that_are_not_the_vendors_are_ignored(vendor: Vendor) -> None:
    raw = ("not json", "[]", "{}", b"\x00\x01", '{"type": 7, "message_type": null}')
    with capture_logs() as logs:
        async with scripted(vendor, TEXT, raw=raw) as fake, calling(vendor, fake) as caller:
            caller.say(900)
            caller.fall_silent()
            assert (await caller.final()).text == TEXT
    assert len([entry for entry in logs if "ignored" in str(entry["event"])]) <= 1


async def test_a_lost_connection_is_made_once_more_and_no_word_is_lost(vendor: Vendor) -> None:
    async with scripted(vendor, TEXT, drop_after_ms=380) as fake, calling(vendor, fake) as caller:
        caller.say(400)
        with anyio.fail_after(5):
            await (await fake.connection(0)).closed.wait()
        caller.say(450)
        caller.fall_silent()
        await fake.connection(1)
        final = await caller.final()
        assert fake.attempts == 2
        # the second connection knows nothing of the first, so the fake begins anew
        first = "I would like to" if vendor.speaks_interim else ""
        assert final.text.startswith(first)
        assert final.text.endswith("I would like to book")


async def ends_with(
    vendor: Vendor, fake: SpeechPeer, limits: SocketLimits | None = None, key: str = "test-key"
) -> ProviderError:
    """Run a call until its transcriber fails."""
    options = {} if limits is None else {"limits": limits}
    with pytest.raises(BaseExceptionGroup) as caught, anyio.fail_after(10):
        async with calling(vendor, fake, key=key, **options) as caller:
            await caller.feed_for_ever()
    (error,) = caught.value.exceptions
    assert isinstance(error, ProviderError)
    assert key not in str(error)
    assert error.provider == vendor.provider
    assert error.ended_reason in contract.definitions()["EndedReason"]["enum"]
    assert str(error).startswith(f"the transcriber {vendor.provider} ")
    return error


async def test_a_wrong_key_is_said_with_the_name_of_its_variable(vendor: Vendor) -> None:
    async with scripted(vendor) as fake:
        error = await ends_with(vendor, fake, key="wrong-key")
    assert vendor.variable in error.setting
    assert "the credential" in error.setting
    assert error.quote
    assert fake.attempts <= 1


async def test_too_many_requests_are_said_with_the_time_to_wait(vendor: Vendor) -> None:
    async with scripted(vendor, refuse={0: 429}, retry_after_s=20) as fake:
        error = await ends_with(vendor, fake)
    assert "answered 429" in str(error)
    assert "20 s" in str(error)
    assert error.quote
    assert fake.attempts == 1


async def test_an_error_of_the_server_ends_the_call(vendor: Vendor) -> None:
    async with scripted(vendor, refuse={0: 500}) as fake:
        error = await ends_with(vendor, fake)
    assert "answered 500" in str(error)
    assert error.quote


@pytest.mark.parametrize(
    "vendor", [one for one in VENDORS.values() if one.reports_errors], ids=lambda one: one.provider
)
async def test_an_error_in_mid_call_is_quoted(vendor: Vendor) -> None:
    async with scripted(vendor, error="The model is out of order") as fake:
        error = await ends_with(vendor, fake)
    assert "The model is out of order" in error.quote


async def test_a_connection_that_is_lost_again_and_again_ends_the_call(vendor: Vendor) -> None:
    async with scripted(vendor, drop_after_ms=40, drops=9) as fake:
        error = await ends_with(vendor, fake)
    assert "keeps closing" in str(error)


async def test_a_vendor_that_stops_reading_ends_the_call(vendor: Vendor) -> None:
    async with scripted(vendor, hang=True) as fake:
        error = await ends_with(vendor, fake, SocketLimits(connect_s=2, stall_s=0.3, ping_s=0.05))
    assert "has taken no audio" in str(error) or "has not begun" in str(error)


async def test_a_vendor_that_is_not_there_ends_the_call(vendor: Vendor) -> None:
    async with scripted(vendor) as fake:
        pass
    async with httpx.AsyncClient() as client:
        caller = Caller(make_transcriber(vendor, "http://127.0.0.1:9", client=client))
        with pytest.raises(ProviderError, match="could not be reached"), anyio.fail_after(5):
            await caller.stream.run()
    assert fake.attempts == 0


async def test_without_a_key_it_says_what_to_set(vendor: Vendor) -> None:
    with pytest.raises(ProviderError, match=f"or set {vendor.variable}"):
        make_transcriber(vendor, "http://127.0.0.1:9", key=None)


async def test_silence_keeps_the_connection_alive(vendor: Vendor) -> None:
    limits = SocketLimits(connect_s=2, stall_s=5, ping_s=2.5, keep_alive_s=0.1)
    async with scripted(vendor) as fake, calling(vendor, fake, limits=limits) as caller:
        caller.feed(200)
        connection = await fake.connection(received_ms=100)
        came = len(connection.messages), connection.received_ms
        await anyio.sleep(0.4)
        assert (len(connection.messages), connection.received_ms) > came
        assert not connection.closed.is_set()


async def test_the_end_of_the_call_closes_the_connection(vendor: Vendor) -> None:
    async with scripted(vendor) as fake:
        async with calling(vendor, fake) as caller:
            caller.feed(200)
            connection = await fake.connection(received_ms=100)
        with anyio.fail_after(2):
            await connection.closed.wait()


async def test_a_second_connection_that_is_refused_ends_the_call(vendor: Vendor) -> None:
    async with scripted(vendor, drop_after_ms=40, refuse={1: 503}) as fake:
        error = await ends_with(vendor, fake)
    assert "answered 503" in str(error)


async def test_words_are_in_the_right_order_when_the_caller_goes_on_at_once(vendor: Vendor) -> None:
    """The next voice begins before the vendor has answered: what it answers is still of the utterance before."""
    async with scripted(vendor, TEXT, "And a chair.", answer_after_ms=200) as fake, calling(vendor, fake) as caller:
        caller.feed(400)
        caller.say(900)
        caller.fall_silent()
        caller.stream.voice_started(0)
        await caller.final()
        assert caller.finals == [TEXT]
        caller.say(500)
        caller.fall_silent()
        await caller.final(1)
        assert caller.finals == [TEXT, "And a chair."]
