import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { CallError } from "../../src/bargein/server/page/call.js";
import { Watching } from "../../src/bargein/server/page/watching.js";

const asked = [];

beforeEach(() => {
  asked.length = 0;
  globalThis.EventSource = class {
    constructor(url) {
      asked.push(url);
    }
    close() {
      asked.push("closed");
    }
  };
  globalThis.fetch = async (url, { body }) => asked.push([url, JSON.parse(body)]);
});

/** A server that closes the first `notLive` sockets, as it does while a telephone rings. */
function server(notLive = 0) {
  const line = { opened: [], events: null, left: false };
  line.open = async (path, events) => {
    line.opened.push(path);
    line.events = events;
    if (line.opened.length <= notLive) events.closed({ code: 1008, expected: false });
    else queueMicrotask(() => events.audio(stereo(0, 0)));
    return { leave: () => (line.left = true) };
  };
  return line;
}

/** A tenth of a second: the customer on the left, the assistant on the right. */
function stereo(left, right) {
  return Int16Array.from({ length: 3200 }, (_, i) => (i % 2 ? right : left)).buffer;
}

function listeners() {
  const told = { messages: [], speaker: [], cuts: 0, levels: [], conversation: null, ended: [] };
  const events = {
    conversation: (now) => (told.conversation = now),
    message: (entry) => told.messages.push(entry),
    level: (level) => told.levels.push(level),
    cut: () => told.cuts++,
    speaker: (speaker) => told.speaker.push(speaker),
    microphoneLost: () => assert.fail("there is no microphone"),
    ended: (how) => told.ended.push(how),
  };
  return { told, events };
}

async function watching(line, events, nowMs = () => 0) {
  return Watching.start("call 1", events, { open: line.open, nowMs, againMs: 1 });
}

test("a ringing telephone is waited for", async () => {
  const line = server(3);
  const { events } = listeners();
  await watching(line, events);
  assert.deepEqual(line.opened, Array(4).fill("/call%201/listen"));
  assert.deepEqual(asked, ["/call%201/insight"]);
});

test("a call that does not become live is given up", async () => {
  const line = server(1000);
  let now = 0;
  const how = { open: line.open, nowMs: () => (now += 40), waitMs: 100, againMs: 1 };
  await assert.rejects(Watching.start("c", listeners().events, how), CallError);
  assert.ok(line.opened.length < 10);
});

test("both sides are shown with their words", async () => {
  const line = server();
  const { told, events } = listeners();
  let now = 1000;
  const watched = await watching(line, events, () => now);
  now = 1500;
  line.events.audio(stereo(16384, 0));
  now = 1600;
  line.events.audio(stereo(0, 8192));
  assert.equal(told.levels.at(-2), 0.5);
  assert.equal(watched.track.caller.peak(400, 500), 0.5);
  assert.equal(watched.track.assistant.peak(500, 600), 0.25);
  const say = (message) => line.events.message(message);
  say({ type: "model-output", turnId: "t1", output: "Once upon a time" });
  say({ type: "speech-update", role: "assistant", status: "started", turn: 1 });
  say({ type: "user-interrupted", turnId: "t1" });
  say({ type: "transcript", role: "user", transcriptType: "final", transcript: "Stop!" });
  assert.deepEqual(
    watched.conversation.turns.map(({ role, state, text }) => [role, state, text]),
    [
      ["assistant", "interrupted", "Once upon a time"],
      ["user", "said", "Stop!"],
    ],
  );
  assert.deepEqual([told.cuts, told.speaker], [1, ["assistant"]]);
  assert.equal(watched.track.cuts[0].silentMs, 600);
  assert.equal(watched.nowMs(), 600);
});

test("the call is controlled, left, and ended", async () => {
  const line = server();
  const { told, events } = listeners();
  const watched = await watching(line, events);
  watched.say("Hello.");
  watched.ask("What time is it?");
  watched.hangUp();
  const steered = asked.filter(Array.isArray);
  assert.deepEqual(
    steered.map(([url, { type }]) => [url, type]),
    ["say", "add-message", "end-call"].map((type) => ["/call%201/control", type]),
  );
  assert.equal(told.conversation.turns.at(-1).text, "What time is it?");
  watched.leave();
  assert.ok(line.left);
  line.events.message({ type: "status-update", status: "ended", endedReason: "customer-ended-call" });
  line.events.closed({ code: 1000, expected: true });
  assert.deepEqual(told.ended, [{ trouble: null }]);
  assert.equal(told.conversation.turns.at(-1).text, "The caller hung up");
  assert.equal(asked.at(-1), "closed");
});

test("a lost connection is reported", async () => {
  const line = server();
  const { told, events } = listeners();
  await watching(line, events);
  line.events.closed({ code: 1006, expected: false });
  assert.match(told.ended[0].trouble.title, /lost/);
  const broken = async (_path, gone) => gone.closed({ code: 1006, expected: false });
  await assert.rejects(Watching.start("c", events, { open: broken, nowMs: () => 0 }), { kind: "unreachable" });
});

test("what does not work in a watched call is a note", async () => {
  const fetched = [];
  globalThis.fetch = async (url) => {
    fetched.push(url);
    return new Response("{}", { headers: { "X-Bargein-Warning": "model: no key" } });
  };
  const line = server();
  const { events, told } = listeners();
  await watching(line, events);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(fetched, ["/call/call%201"]);
  assert.deepEqual(
    told.conversation.turns.map(({ role, text }) => [role, text]),
    [["note", "Note: model: no key"]],
  );
});

test("a watched call that failed says why", async () => {
  const line = server();
  const { told, events } = listeners();
  await watching(line, events);
  line.events.message({ type: "status-update", status: "ended", endedReason: "pipeline-error", call: { endedMessage: "the voice failed" } });
  line.events.closed({ code: 1000, expected: true, reason: "" });
  assert.deepEqual(told.ended, [{ trouble: { title: "The call failed", advice: "The voice failed.", offer: "again" } }]);
});
