import assert from "node:assert/strict";
import { test } from "node:test";

import { EMPTY, lastInterrupted, reduce } from "../../src/bargein/server/page/conversation.js";

const after = (...messages) => messages.reduce(reduce, EMPTY);
const token = (turnId, output) => ({ type: "model-output", turnId, output });
const speech = (role, status, turn) => ({ type: "speech-update", role, status, turn });
const progress = (turn, text, wordsSpoken, source = "model") => ({
  type: "assistant.speechStarted",
  turn,
  text,
  source,
  timing: { type: "word-progress", wordsSpoken, totalWords: 99 },
});
const heardSoFar = (...bot) => ({
  type: "conversation-update",
  messages: bot.map((message) => ({ role: "bot", message })),
});
const user = (transcript, transcriptType) => ({ type: "transcript", role: "user", transcriptType, transcript });
const texts = (now) => now.turns.map(({ role, text, state, heard }) => [role, text, state, heard]);

const STORY = [
  token("a", "Once upon a time"),
  token("a", " there was a boat."),
  speech("assistant", "started", 3),
  progress(3, "Once upon a time there was a boat.", 2),
];

test("tokens extend a turn, and the heard words follow", () => {
  assert.deepEqual(texts(after(...STORY)), [["assistant", "Once upon a time there was a boat.", "speaking", 9]]);
});

test("an interrupted turn keeps the heard words of the history, and ignores later tokens", () => {
  const now = after(
    ...STORY,
    { type: "user-interrupted", turnId: "a" },
    token("a", " LATE"),
    speech("assistant", "stopped", 3),
    heardSoFar("Once upon a time"),
    token("a", " LATER"),
    token("b", "Yes?"),
  );
  assert.deepEqual(texts(now), [
    ["assistant", "Once upon a time there was a boat.", "interrupted", 16],
    ["assistant", "Yes?", "coming", 0],
  ]);
  assert.equal(lastInterrupted(now).turnId, "a");
});

test("a token of another turn is never added to the audible one", () => {
  const now = after(...STORY, token("b", "Other."));
  assert.deepEqual(texts(now)[0][1], "Once upon a time there was a boat.");
});

test("a first message has no turnId, and can be interrupted", () => {
  const now = after(
    { type: "voice-input", input: "Hello there." },
    speech("assistant", "started", 0),
    progress(0, "Hello there. Ask me.", 1, "force-say"),
    { type: "voice-input", input: "Ask me." },
    { type: "user-interrupted" },
    speech("assistant", "stopped", 0),
    heardSoFar("Hello"),
  );
  assert.deepEqual(texts(now), [["assistant", "Hello there. Ask me.", "interrupted", 5]]);
});

test("a turn that is dropped before it is audible has no heard words", () => {
  const now = after(
    ...STORY,
    speech("assistant", "stopped", 3),
    heardSoFar("Once upon a time there was a boat."),
    token("b", "Once more."),
    { type: "user-interrupted", turnId: "b" },
    heardSoFar("Once upon a time there was a boat."),
  );
  assert.deepEqual(texts(now), [
    ["assistant", "Once upon a time there was a boat.", "said", 34],
    ["assistant", "Once more.", "interrupted", 0],
  ]);
});

test("a turn that was not stopped by the caller is cut, not interrupted", () => {
  const now = after(...STORY, speech("assistant", "stopped", 3), heardSoFar("Once upon"));
  assert.deepEqual(texts(now)[0].slice(2), ["cut", 9]);
  assert.equal(lastInterrupted(now), null);
});

test("a turn is heard to its end if the history has its whole text", () => {
  const now = after(...STORY, speech("assistant", "stopped", 3), heardSoFar("Once upon a time there was a boat."));
  assert.deepEqual(texts(now)[0].slice(2), ["said", 34]);
});

test("partials replace each other, finals are appended", () => {
  const now = after(
    speech("user", "started", 1),
    user("tell", "partial"),
    user("tell me", "partial"),
    user("Tell me a", "final"),
    user("story", "partial"),
    user("story.", "final"),
  );
  assert.deepEqual(texts(now), [["user", "Tell me a story.", "said", 0]]);
});

test("a final after the answer corrects its partial", () => {
  const answered = [
    speech("user", "started", 1),
    user("stop", "partial"),
    token("a", "Yes?"),
    speech("assistant", "started", 2),
  ];
  assert.deepEqual(texts(after(...answered, user("Stop!", "final")))[0][1], "Stop!");
  const next = after(...answered, speech("user", "started", 3), user("and", "partial"));
  assert.deepEqual(
    next.turns.map(({ text }) => text),
    ["stop", "Yes?", "and"],
  );
});

test("the caller's voice is shown before its words, and removed if there are none", () => {
  assert.equal(after(speech("user", "started", 1)).listening, true);
  assert.equal(after(speech("user", "started", 1), user("hi", "partial")).listening, false);
  assert.equal(after(speech("user", "started", 1), speech("user", "stopped", 1)).listening, false);
});

test("the end of the call closes all turns", () => {
  const now = after(...STORY, { type: "status-update", status: "ended", endedReason: "customer-ended-call" });
  assert.equal(now.turns[0].state, "cut");
});

test("unknown messages change nothing", () => {
  const now = after(...STORY);
  for (const message of [{ type: "tool-calls" }, { type: "model-output", output: { tool: 1 } }, { type: "toString" }]) {
    assert.equal(reduce(now, message), now);
  }
});
