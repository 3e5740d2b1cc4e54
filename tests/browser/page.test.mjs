import assert from "node:assert/strict";
import { test } from "node:test";

import { assistantFrom } from "../../src/bargein/server/page/assistant.js";
import { MicrophoneError } from "../../src/bargein/server/page/audio/sound.js";
import { CallError, createCall } from "../../src/bargein/server/page/call.js";
import { Curve, Track } from "../../src/bargein/server/page/track.js";
import { explain, explainClosing, explainEnding, explainFailure, failureIn } from "../../src/bargein/server/page/troubles.js";
import { charsOfWords, matchPrefix } from "../../src/bargein/server/page/words.js";

test("words are counted as Vapi counts them", () => {
  const text = "Well — don't 你好, ok.";
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 9].map((count) => text.slice(0, charsOfWords(text, count))),
    ["", "Well —", "Well — don't", "Well — don't 你", "Well — don't 你好,", text, text],
  );
});

test("a prefix is found with any white space", () => {
  assert.equal(matchPrefix("One  two\nthree", "One two"), 8);
  assert.equal(matchPrefix("One two", ""), 0);
  assert.equal(matchPrefix("One two", "Two"), null);
  assert.equal(matchPrefix("One", "One two"), null);
});

test("an assistant has the plan that was typed, or none", () => {
  const blank = { firstMessage: " ", numWords: "", voiceSeconds: "" };
  const bare = assistantFrom(blank);
  assert.equal("stopSpeakingPlan" in bare, false);
  assert.equal("firstMessage" in bare, false);
  assert.ok(bare.clientMessages.includes("assistant.speechStarted"));
  const set = assistantFrom({ firstMessage: "Hi.", numWords: "0", voiceSeconds: "0.2" });
  assert.deepEqual(set.stopSpeakingPlan, { numWords: 0, voiceSeconds: 0.2 });
  assert.equal(set.firstMessage, "Hi.");
  assert.equal(set.firstMessageInterruptionsEnabled, true);
});

test("a curve of any length keeps its peaks", () => {
  const curve = new Curve();
  curve.put(100_000, 0.5);
  curve.put(100_010, 0.2);
  curve.put(-5, 1);
  curve.put(10 ** 9, 1);
  assert.equal(curve.peak(99_990, 100_020), 0.5);
  assert.equal(curve.peak(0, 99_000), 0);
});

test("a span has one value, without a gap", () => {
  const curve = new Curve();
  for (let at = 32; at <= 3200; at += 32) curve.fill(at - 32, at, 0.7);
  for (let at = 0; at < 3200; at += 20) assert.ok(curve.peak(at, at + 20) > 0.69, `${at}`);
  assert.equal(curve.peak(3220, 4000), 0);
});

test("the median of the cuts leaves out those without a figure", () => {
  const track = new Track();
  assert.equal(track.medianTookMs(), null);
  for (const tookMs of [300, null, 200, 250, 1000]) track.cuts.push({ onsetMs: 0, silentMs: 0, tookMs });
  assert.equal(track.medianTookMs(), 275);
});

test("open speech ends with the call", () => {
  const track = new Track();
  track.spoke("user", "started", 10);
  track.spoke("tool", "started", 20);
  track.close(50);
  assert.deepEqual(track.speech, { user: [{ fromMs: 10, toMs: 50 }], assistant: [] });
});

test("every trouble has a text and advice", () => {
  assert.equal(explain(new CallError("unauthorized")).offer, "key");
  assert.equal(explain(new CallError("unreachable")).offer, "again");
  assert.match(explain(new CallError("refused", "numWords must not be greater than 10")).advice, /numWords/);
  assert.match(explain(new MicrophoneError("NotAllowedError")).advice, /Allow the microphone/);
  assert.equal(explain(new MicrophoneError("Strange")).offer, "silent");
  assert.equal(explain(new Error("odd")).advice, "odd");
  assert.match(explainClosing(1013).title, /full/);
  assert.match(explainClosing(4999).advice, /4999/);
  assert.match(explainClosing(1008, "its assistant has been deleted").advice, /^Its assistant has been deleted\. /);
  assert.equal(explainEnding("customer-ended-call"), "You hung up");
  assert.match(explainEnding("pipeline-error-custom-llm-llm-failed"), /custom llm/);
});

test("the answer to a new call says what will not work", async () => {
  const answers = [{}, { "X-Bargein-Warning": "voice: no key" }];
  globalThis.fetch = async () =>
    new Response(JSON.stringify({ id: "1", webCallUrl: "wss://a.example/1" }), { headers: answers.shift() });
  assert.deepEqual(await createCall({}, ""), { id: "1", path: "/1", warning: "" });
  assert.equal((await createCall({}, "")).warning, "voice: no key");
});

test("a call that failed says why, and one that ended does not", () => {
  const ended = { type: "status-update", status: "ended" };
  const why = 'the model groq answered 404; it says: "no such model"';
  assert.equal(failureIn({ ...ended, call: { endedMessage: why } }), why);
  for (const message of [ended, { ...ended, call: {} }, { ...ended, call: { endedMessage: 7 } }]) {
    assert.equal(failureIn(message), "");
  }
  assert.equal(failureIn({ type: "status-update", status: "in-progress", call: { endedMessage: why } }), "");
  assert.deepEqual(explainFailure(why), { title: "The call failed", advice: `T${why.slice(1)}.`, offer: "again" });
});
