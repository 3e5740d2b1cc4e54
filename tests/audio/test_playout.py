"""Paced playout: just in time, never more than the lead ahead, and nothing lost."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from bargein.audio.playout import FRAME_MS, Playout

RATE = 16_000  # bytes a second: 16 a millisecond, 320 a frame
PER_MS = 16
FRAME = 320
LEAD_MS = 60


def audio(ms: float) -> bytes:
    """Return audio of this length in which no two pieces are equal."""
    size = int(ms * PER_MS)
    return (b"".join(n.to_bytes(4, "little") for n in range(size // 4 + 1)))[:size]


def due_frames(playout: Playout, now_ms: float) -> list[bytes]:
    """Return all frames that may be sent now."""
    frames: list[bytes] = []
    while (frame := playout.next_frame(now_ms)) is not None:
        frames.append(frame)
    return frames


def playing(ms: float, lead_ms: int = LEAD_MS) -> Playout:
    playout = Playout(RATE, lead_ms)
    playout.queue(audio(ms))
    return playout


def test_a_lead_shorter_than_a_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="not 20 and 19"):
        Playout(RATE, 19)
    assert due_frames(playing(100, lead_ms=20), 0) == [audio(20)]


def test_the_lead_is_sent_first_and_then_a_frame_every_twenty_milliseconds() -> None:
    playout = playing(200)
    assert len(due_frames(playout, 1000)) == 3
    assert playout.next_ms(1000) == 1020
    for now_ms in (1019.9, 1020, 1039, 1040):
        assert len(due_frames(playout, now_ms)) == (now_ms in (1020, 1040))


def test_several_frames_are_sent_at_once_where_the_lead_allows_it() -> None:
    playout = Playout(RATE, 200, at_once_ms=100)
    playout.queue(audio(1000))
    assert len(due_frames(playout, 1000)) == 10
    assert playout.next_ms(1000) == 1100
    assert len(due_frames(playout, 1100)) == 5
    assert playout.next_ms(1100) == 1200


def test_the_last_frames_are_sent_where_several_go_out_at_once() -> None:
    playout = Playout(RATE, 200, at_once_ms=100)
    playout.queue(audio(230))
    playout.complete()
    assert len(due_frames(playout, 0)) == 10
    at_ms = playout.next_ms(0)
    assert at_ms is not None
    assert 0 < at_ms <= 100
    assert len(due_frames(playout, at_ms)) == 2
    assert playout.next_ms(at_ms) == 230


@pytest.mark.parametrize("at_once_ms", [19, 201])
def test_at_once_is_between_a_frame_and_the_lead(at_once_ms: int) -> None:
    with pytest.raises(ValueError, match="at_once_ms"):
        Playout(RATE, 200, at_once_ms=at_once_ms)


def test_the_first_frame_is_due_at_once() -> None:
    assert playing(100).next_ms(777) == 777
    assert Playout(RATE, LEAD_MS).next_ms(777) is None
    assert Playout(RATE, LEAD_MS).next_frame(777) is None


def test_a_late_timer_is_caught_up_with() -> None:
    playout = playing(400)
    due_frames(playout, 0)
    assert len(due_frames(playout, 50)) == 2  # what was due at 20 and 40
    assert playout.next_ms(50) == 60


def test_a_timer_after_the_buffer_is_empty_does_not_catch_up() -> None:
    playout = playing(400)
    due_frames(playout, 0)
    assert len(due_frames(playout, 500)) == 3  # as at the beginning, not 25 frames at once
    assert playout.position_ms(500) == 60
    assert playout.position_ms(510) == 70


def test_a_buffer_that_empties_to_the_millisecond_has_no_gap() -> None:
    playout = playing(400)
    due_frames(playout, 0)
    assert len(due_frames(playout, 60)) == 3
    assert playout.position_ms(70) == 70


def test_audio_after_an_empty_buffer_starts_anew() -> None:
    playout = playing(40)
    assert len(due_frames(playout, 0)) == 2
    assert playout.drained(40)
    playout.queue(audio(100))
    assert not playout.drained(300)
    assert playout.position_ms(300) == 40
    assert len(due_frames(playout, 300)) == 3
    assert playout.position_ms(310) == 50


def test_only_the_last_frame_may_be_short() -> None:
    playout = playing(30)
    assert due_frames(playout, 0) == [audio(30)[:FRAME]]
    assert playout.next_ms(0) == 20
    playout.complete()
    assert due_frames(playout, 0) == [audio(30)[FRAME:]]
    assert playout.next_ms(0) == 30
    assert not playout.drained(29)
    assert playout.drained(30)
    assert playout.next_ms(30) is None


def test_an_incomplete_frame_waits_for_its_rest() -> None:
    playout = playing(30)
    due_frames(playout, 0)
    assert not playout.drained(20)  # ten milliseconds of it have not been heard
    assert playout.next_ms(20) is None
    assert playout.waiting_ms == 10
    playout.queue(audio(10))
    assert len(due_frames(playout, 20)) == 1
    assert playout.drained(40)


def test_a_short_frame_is_due_by_its_own_length() -> None:
    playout = playing(LEAD_MS + 10)
    due_frames(playout, 0)
    playout.complete()
    assert playout.next_ms(0) == 10
    assert due_frames(playout, 9) == []
    assert len(due_frames(playout, 10)) == 1


def test_sent_heard_and_waiting_audio_are_counted() -> None:
    playout = playing(100)
    assert (playout.sent_ms, playout.waiting_ms, playout.position_ms(5)) == (0, 100, 0)
    due_frames(playout, 10)
    assert (playout.sent_ms, playout.waiting_ms) == (60, 40)
    assert [playout.position_ms(t) for t in (5, 10, 35, 70, 99)] == [0, 0, 25, 60, 60]


def test_an_empty_playout_is_drained() -> None:
    assert Playout(RATE, LEAD_MS).drained(0)
    assert not playing(20).drained(0)


@pytest.mark.parametrize(("bytes_per_second", "size"), [(16_000, 320), (8_000, 160), (96_000, 1920), (22_050, 440)])
def test_no_frame_ends_inside_a_sample(bytes_per_second: int, size: int) -> None:
    playout = Playout(bytes_per_second, LEAD_MS)
    playout.queue(bytes(bytes_per_second))
    assert {len(f) for f in due_frames(playout, 0)} == {size}


def test_sent_audio_is_freed() -> None:
    playout = Playout(RATE, LEAD_MS)
    chunk, sent, now_ms = audio(10_000), 0, 0.0
    for _ in range(20):
        playout.queue(chunk)
        got = bytearray()
        while len(got) < len(chunk):
            got += b"".join(due_frames(playout, now_ms))
            now_ms += FRAME_MS
        sent += len(got)
        assert bytes(got) == chunk
        assert len(playout._audio) <= (1 << 20) + len(chunk)
    assert playout.sent_ms == 200_000


@given(
    lateness=st.lists(st.sampled_from([0, 0, 0, 0.3, 1, 5, 19, 20, 59, 60, 61, 300]), min_size=1, max_size=60),
    queued=st.lists(st.tuples(st.integers(0, 100), st.sampled_from([2, 30, 320, 640, 5000, 20_000])), max_size=12),
    rate=st.sampled_from([8_000, 16_000, 22_050, 32_000, 88_200, 96_000]),
    lead_ms=st.sampled_from([20, 40, 60, 200]),
)
@settings(deadline=None)
def test_playout_is_paced_whatever_the_timer_does(
    lateness: list[float], queued: list[tuple[int, int]], rate: int, lead_ms: int
) -> None:
    """No more than the lead is sent and unheard, positions only grow, and every byte arrives once, in order."""
    playout, per_ms = Playout(rate, lead_ms), rate / 1000
    put_in, came_out = bytearray(), bytearray()
    far_end_is_dry_ms = heard_ms = now_ms = 0.0
    moments = sorted(at_ms for at_ms, _ in queued)
    sizes = [size for _, size in queued]

    def pump() -> None:
        nonlocal far_end_is_dry_ms, heard_ms
        for frame in due_frames(playout, now_ms):
            came_out.extend(frame)
            far_end_is_dry_ms = max(far_end_is_dry_ms, now_ms) + len(frame) / per_ms
            assert far_end_is_dry_ms - now_ms <= lead_ms + 1e-6
            assert rate < 16_000 or len(frame) % 2 == 0
        # What the far end has really played, which it begins when it gets it.
        really_ms = playout.sent_ms - max(0.0, far_end_is_dry_ms - now_ms)
        assert playout.position_ms(now_ms) == pytest.approx(really_ms, abs=1e-6)
        assert playout.position_ms(now_ms) >= heard_ms - 1e-6
        heard_ms = playout.position_ms(now_ms)
        assert bytes(put_in).startswith(bytes(came_out))
        due = playout.next_ms(now_ms)
        assert due is None or due > now_ms, "the timer spins"

    for late_ms in lateness:
        due = playout.next_ms(now_ms)
        now_ms = (now_ms + 7 if due is None else due) + late_ms
        while moments and moments[0] * 10 <= now_ms:
            moments.pop(0)
            piece = bytes((len(put_in) + n) % 251 for n in range(sizes.pop(0)))
            put_in += piece
            playout.queue(piece)
        pump()
    playout.complete()
    for _ in range(10_000):
        pump()
        if playout.drained(now_ms):
            break
        due = playout.next_ms(now_ms)
        assert due is not None
        now_ms = due
    assert came_out == put_in
    assert playout.position_ms(now_ms) == pytest.approx(len(put_in) / per_ms)


def test_each_frame_begins_to_sound_where_the_one_before_it_ended() -> None:
    playout, began = playing(100), list[float]()
    for now_ms in (1000, 1020, 1040, 1060, 1080):
        while playout.next_frame(now_ms) is not None:
            began.append(playout.sounds_ms)
    assert began == [1000, 1020, 1040, 1060, 1080]
    playout.queue(audio(40))
    playout.next_frame(1500)  # it has run dry meanwhile
    assert playout.sounds_ms == 1500


class FarEnd:
    """A peer that plays audio `late_ms` after it came and returns the marks that it reaches."""

    def __init__(self, late_ms: float) -> None:
        self.late_ms, self.dry_ms, self.got_ms = late_ms, 0.0, 0.0
        self.pieces: list[tuple[float, float]] = []
        self.marks: list[tuple[float, int]] = []

    def receive(self, size: int, now_ms: float) -> None:
        begins_ms = max(self.dry_ms, now_ms + self.late_ms)
        self.pieces.append((begins_ms, size / PER_MS))
        self.dry_ms = begins_ms + size / PER_MS
        self.got_ms += size / PER_MS

    def mark(self, place: int) -> None:
        self.marks.append((self.dry_ms, place))

    def heard_ms(self, now_ms: float) -> float:
        return sum(min(long_ms, max(0.0, now_ms - begins_ms)) for begins_ms, long_ms in self.pieces)


@given(
    late_ms=st.sampled_from([0, 20, 90, 400, 1500]),
    queued=st.lists(st.tuples(st.integers(0, 3000), st.sampled_from([30, 320, 5000, 20_000])), min_size=1, max_size=5),
)
@settings(deadline=None)
def test_with_marks_no_more_counts_as_heard_than_was_played(late_ms: float, queued: list[tuple[int, int]]) -> None:
    playout, far, told_ms = Playout(RATE, 200, marked=True), FarEnd(late_ms), 0.0
    pending, total = sorted(queued), sum(size for _, size in queued)
    for step in range(3000):
        now_ms = step * 10.0
        while pending and pending[0][0] <= now_ms:
            playout.queue(bytes(pending.pop(0)[1]))
        if not pending:
            playout.complete()
        while far.marks and far.marks[0][0] <= now_ms:
            assert playout.reach_mark(far.marks.pop(0)[1], now_ms)
        while (frame := playout.next_frame(now_ms)) is not None:
            far.receive(len(frame), now_ms)
            if (place := playout.next_mark()) is not None:
                assert place == round(far.got_ms * PER_MS)
                far.mark(place)
        position_ms = playout.position_ms(now_ms)
        assert position_ms >= told_ms - 1e-6
        told_ms = position_ms
        assert position_ms <= far.heard_ms(now_ms) + 200 + FRAME_MS + 1e-6, "no more than up to the next mark"
        due_ms = playout.next_ms(now_ms)
        assert due_ms is None or due_ms > now_ms, "the timer spins"
        if not pending and playout.drained(now_ms):
            break
    assert told_ms == pytest.approx(total / PER_MS)
    assert far.heard_ms(now_ms) == pytest.approx(told_ms), "it was not over before it had sounded"


def test_an_unknown_or_repeated_mark_is_refused() -> None:
    playout = Playout(RATE, 200, marked=True)
    playout.queue(audio(300))
    places = []
    while playout.next_frame(0) is not None:
        places.append(playout.next_mark())
    assert [place for place in places if place is not None] == [FRAME]
    assert not playout.reach_mark(7, 0)
    assert playout.reach_mark(FRAME, 20)
    assert not playout.reach_mark(FRAME, 30)
    assert playout.next_mark() is None
    assert playing(100).next_mark() is None


def test_after_a_pause_playout_begins_anew_with_the_next_frame() -> None:
    playout = Playout(RATE, 200, marked=True)
    playout.queue(audio(40))
    while playout.next_frame(0) is not None:
        playout.next_mark()
    assert playout.reach_mark(2 * FRAME, 45)
    assert playout.next_ms(45) is None
    playout.queue(audio(40))
    playout.next_frame(5000)
    playout.next_mark()
    assert playout.position_ms(5010) == 50
    assert playout.position_ms(6000) == 60, "no further than the mark behind the first frame"
    assert playout.position_ms(8000) == 60
