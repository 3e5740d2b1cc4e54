import assert from "node:assert/strict";
import { test } from "node:test";

import { OnsetDetector } from "../../src/bargein/server/page/audio/onset.js";
import { PlayoutQueue } from "../../src/bargein/server/page/audio/playout.js";
import { Resampler, fromPcm16, rms, toPcm16 } from "../../src/bargein/server/page/audio/resample.js";
import { Stopwatch } from "../../src/bargein/server/page/stopwatch.js";

const RATE = 16000;
const BLOCK = 128;

const tone = (ms, hz = 440, level = 0.3, rate = RATE) =>
  Float32Array.from({ length: (rate * ms) / 1000 }, (_, i) => level * Math.sin((2 * Math.PI * hz * i) / rate));
const quiet = (ms) => new Float32Array((RATE * ms) / 1000);
const joined = (...parts) => Float32Array.from(parts.flatMap((part) => [...part]));

function* blocks(samples, size = BLOCK) {
  for (let i = 0; i < samples.length; i += size) yield samples.subarray(i, i + size);
}

function play(queue, fromFrame, count) {
  const out = new Float32Array(count);
  for (let i = 0; i < count; i += BLOCK) queue.render(out.subarray(i, i + BLOCK), fromFrame + i);
  return out;
}

test("an onset is at the beginning of the sound, one for each utterance", () => {
  const detector = new OnsetDetector(RATE);
  const stream = joined(quiet(500), tone(300), quiet(200), tone(300), quiet(900));
  const found = [...blocks(stream)].flatMap((block) => detector.push(block));
  assert.deepEqual(
    found.map(({ what }) => what),
    ["onset", "offset"],
  );
  assert.equal(found[0].sample / RATE, 0.5);
  assert.equal(found[1].sample / RATE, 1.3);
});

test("a click and a steady hum are not an onset, a voice over the hum is", () => {
  const clicks = new OnsetDetector(RATE);
  assert.deepEqual(clicks.push(joined(quiet(300), tone(15), quiet(300))), []);
  const hum = tone(20000, 100, 0.01);
  const voiced = joined(hum, tone(200, 300, 0.2));
  const told = new OnsetDetector(RATE).push(voiced).filter(({ sample }) => sample / RATE > 15);
  assert.deepEqual(
    told.map(({ what, sample }) => [what, sample / RATE]),
    [["onset", 20]],
  );
});

test("a flush is silent within 5 ms, without a step, and reports its time", () => {
  const queue = new PlayoutQueue(RATE);
  queue.push(new Float32Array(RATE).fill(0.5));
  const before = play(queue, 0, 10 * BLOCK);
  assert.equal(before.at(-1), 0.5);
  queue.flush();
  const after = play(queue, 10 * BLOCK, 4 * BLOCK);
  const ramp = RATE * 0.005;
  assert.ok(after.slice(ramp).every((value) => value === 0));
  const steps = after.slice(0, ramp).map((value, i) => Math.abs(value - (i ? after[i - 1] : 0.5)));
  assert.ok(Math.max(...steps) < 0.01);
  assert.equal(queue.takeSilentAt(), 10 * BLOCK + ramp);
  assert.equal(queue.takeSilentAt(), null);
  assert.equal(queue.queuedMs, 0);
});

test("a flush of an empty queue reports when it ran dry", () => {
  const queue = new PlayoutQueue(RATE);
  queue.push(tone(100));
  play(queue, 0, 20 * BLOCK);
  queue.flush();
  play(queue, 20 * BLOCK, BLOCK);
  assert.equal(queue.takeSilentAt(), 1600);
});

test("speech is played completely and in order, for any size of pieces", () => {
  const queue = new PlayoutQueue(RATE);
  const speech = tone(500);
  for (const piece of blocks(speech, 321)) queue.push(piece);
  assert.deepEqual(play(queue, 0, 8064).slice(0, speech.length), speech);
  assert.equal(queue.playing, false);
});

test("a single short piece is played after a limited time", () => {
  const queue = new PlayoutQueue(RATE);
  queue.push(tone(10));
  assert.ok(rms(play(queue, 0, 8 * BLOCK)) === 0);
  assert.ok(rms(play(queue, 8 * BLOCK, 4 * BLOCK)) > 0);
});

for (const [from, to] of [
  [48000, 16000],
  [16000, 48000],
  [44100, 16000],
]) {
  test(`a tone is the same tone at ${to} Hz as at ${from} Hz, in whatever pieces it comes`, () => {
    const resampler = new Resampler(from, to);
    const out = joined(...[...blocks(tone(200, 440, 0.3, from))].map((block) => resampler.push(block)));
    assert.ok(Math.abs(out.length - 0.2 * to) < 40);
    const expected = tone(200, 440, 0.3, to);
    const body = out.slice(100, -100);
    assert.ok(Math.abs(rms(body) - rms(expected)) < 0.003);
    const errors = body.map((value, i) => value - expected[i + 100]);
    assert.ok(rms(errors) < 0.004, `error ${rms(errors)}`);
  });
}

test("frequencies above half of a lower rate are removed", () => {
  const out = new Resampler(48000, 16000).push(tone(200, 12000, 0.5, 48000));
  assert.ok(rms(out.slice(50, -50)) < 0.02);
});

test("pcm keeps its samples, and clips loud ones", () => {
  assert.deepEqual([...toPcm16(Float32Array.of(0, 2, -2))], [0, 32767, -32767]);
  assert.deepEqual([...fromPcm16(Int16Array.of(0, -32768))], [0, -1]);
});

test("an interruption is measured from the caller's first sound to silence", () => {
  const watch = new Stopwatch();
  watch.began(1000);
  watch.voice("onset", 5000);
  watch.interrupted(7, 5230);
  assert.deepEqual(watch.silent(5240), { key: 7, onsetMs: 5000, silentMs: 5240, tookMs: 240 });
  assert.equal(watch.silent(6000), null);
});

test("a caller who was already speaking interrupts from the assistant's start on", () => {
  const watch = new Stopwatch();
  watch.voice("onset", 800);
  watch.began(1000);
  watch.interrupted(1, 1200);
  assert.equal(watch.silent(1210).tookMs, 210);
});

test("a typed interruption, or one long after the last sound, has no figure", () => {
  const typed = new Stopwatch();
  typed.interrupted(1, 5000);
  assert.equal(typed.silent(5010).tookMs, null);
  const stale = new Stopwatch();
  stale.voice("onset", 1000);
  stale.voice("offset", 1500);
  stale.interrupted(1, 5000);
  assert.equal(stale.silent(5010).tookMs, null);
});
