import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

import Daily, { createCallObject } from "../dist/index.mjs";
import { heard, joinAsTheSdk, names, record, Stage, Track, turns, URL_OF_CALL } from "./stage.mjs";

const PCM = new ArrayBuffer(640);

test("both kinds of module give the factory as Daily's package does", () => {
  const required = createRequire(import.meta.url)("../dist/index.js");
  assert.equal(Daily.createCallObject, createCallObject);
  assert.ok(required.__esModule);
  assert.equal(typeof required.default.createCallObject().join, "function");
  assert.throws(() => Daily.createFrame(), /createCallObject/);
});

test("joining as the SDK does: the assistant joins, its track is played, then the socket is opened", async () => {
  const stage = new Stage();
  const call = stage.call();
  const told = record(call, "joining-meeting", "participant-joined", "track-started", "joined-meeting");
  let playing = false;
  call.on("participant-joined", ({ participant: { session_id } }) =>
    call.updateParticipant(session_id, { setSubscribedTracks: { audio: true } }),
  );
  call.on("track-started", async () => {
    await turns();
    assert.equal(stage.sockets.length, 0); // the server would already be speaking
    playing = true;
    call.sendAppMessage("playable");
  });
  const participants = await call.join({ url: URL_OF_CALL, subscribeToTracksAutomatically: false });
  assert.ok(playing);
  assert.deepEqual(names(told), ["joining-meeting", "participant-joined", "track-started", "joined-meeting"]);
  const { participant, track, type } = told[2][1];
  assert.equal(participant.user_name, "Vapi Speaker");
  assert.equal(participant.local, false);
  assert.equal(track, stage.sound.track);
  assert.equal(type, "audio");
  assert.equal(stage.socket.url, URL_OF_CALL);
  assert.deepEqual(stage.socket.sent, []); // `playable` is not sent to the server
  assert.equal(participants[participant.session_id].tracks.audio.state, "playable");
  assert.equal(participants.local.tracks.audio.track, stage.microphones[0].track);
  assert.equal(call.meetingState(), "joined-meeting");
});

test("messages before the first listener are kept, and the call's start comes first", async () => {
  const stage = new Stage();
  const call = stage.call();
  stage.answers = false;
  const joining = call.join({ url: URL_OF_CALL });
  await turns();
  stage.socket.open();
  await null; // a frame is a task of its own
  await null;
  stage.socket.say({ type: "status-update", status: "in-progress" });
  stage.socket.say({ type: "transcript", transcript: "Hi!" });
  await joining;
  await turns();
  const told = record(call, "app-message");
  assert.deepEqual(told, []); // not before the current task ends
  stage.socket.say({ type: "hang" });
  await turns();
  stage.socket.say({ type: "late" });
  const texts = heard(told);
  assert.equal(texts[0], "listening");
  assert.ok(texts.every((text) => typeof text === "string"));
  assert.deepEqual(texts.slice(1).map((text) => JSON.parse(text).type), ["status-update", "transcript", "hang", "late"]);
});

test("a rejoined call with a listener has no second start", async () => {
  const stage = new Stage();
  const call = stage.call();
  const told = record(call, "app-message");
  await call.join({ url: URL_OF_CALL });
  await turns();
  stage.socket.say({ type: "hang" });
  assert.deepEqual(heard(told), ['{"type":"hang"}']);
});

test("an interruption drops queued audio before listeners are called, and keeps what follows", async () => {
  const stage = new Stage();
  const call = stage.call();
  await joinAsTheSdk(call);
  await turns();
  call.on("app-message", ({ data }) => stage.sound.done.push(["told", JSON.parse(data).type]));
  stage.socket.say(PCM);
  stage.socket.say({ type: "user-interrupted", turnId: "t1" });
  stage.socket.say({ type: "model-output", output: '"user-interrupted"' });
  stage.socket.say(PCM);
  assert.deepEqual(stage.sound.done.slice(1), [
    ["play", 640],
    ["flush"],
    ["told", "user-interrupted"],
    ["told", "model-output"],
    ["play", 640],
  ]);
});

test("the caller's frames are sent at once, and dropped while the network is blocked", async () => {
  const stage = new Stage();
  const call = stage.call();
  const joining = joinAsTheSdk(call);
  await turns();
  await joining;
  stage.sound.events.frame(PCM, 0.1, 20);
  stage.socket.bufferedAmount = 100_000;
  stage.sound.events.frame(PCM, 0.1, 20);
  stage.socket.bufferedAmount = 0;
  stage.sound.events.frame(PCM, 0.1, 20);
  assert.deepEqual(stage.socket.sent, [PCM, PCM]);
});

test("control messages are sent unwrapped, also those from before the socket is open", async () => {
  const stage = new Stage();
  const call = stage.call();
  call.on("joining-meeting", () => call.sendAppMessage('{"type":"say","message":"early"}'));
  await joinAsTheSdk(call);
  call.sendAppMessage(JSON.stringify({ type: "control", control: "mute-assistant" }));
  call.sendAppMessage({ type: "end-call" });
  call.sendAppMessage({ message: "playable" });
  assert.deepEqual(stage.socket.sent, [
    '{"type":"say","message":"early"}',
    '{"type":"control","control":"mute-assistant"}',
    '{"type":"end-call"}',
  ]);
  await call.leave();
  call.sendAppMessage({ type: "end-call" }); // after the end of the call: that is no error
  assert.equal(stage.socket.sent.length, 3);
});

test("muting sends silence and is remembered by the next call", async () => {
  const stage = new Stage();
  const call = stage.call();
  const updates = record(call, "participant-updated");
  await joinAsTheSdk(call);
  assert.equal(call.localAudio(), true);
  call.setLocalAudio(false);
  assert.equal(call.localAudio(), false);
  assert.deepEqual(stage.sound.done.at(-1), ["mute", true]);
  assert.equal(updates.at(-1)[1].participant.audio, false);
  call.updateParticipant("local", { setAudio: true });
  assert.deepEqual(stage.sound.done.at(-1), ["mute", false]);
  call.setLocalAudio(false);
  await call.leave();
  await call.join();
  assert.deepEqual(stage.sound.done, [["mute", true]]);
  assert.equal(createCallObject({ startAudioOff: true }).localAudio(), false);
});

test("levels are reported once an interval, as a root mean square", async () => {
  const stage = new Stage();
  const call = stage.call();
  const told = record(call, "remote-participants-audio-level", "local-audio-level");
  await joinAsTheSdk(call);
  const [assistantId] = Object.keys(call.getRemoteParticipantsAudioLevel());
  for (const level of [0.3, 0.3, 0.4, 0.4, 0.3]) stage.sound.events.played(level, 20);
  assert.equal(call.isRemoteParticipantsAudioLevelObserverRunning(), true);
  assert.equal(told.length, 1);
  const rms = Math.sqrt((3 * 0.3 ** 2 + 2 * 0.4 ** 2) / 5);
  assert.deepEqual(told[0][1].participantsAudioLevel, { [assistantId]: rms });
  stage.sound.events.frame(PCM, 0.2, 20);
  assert.equal(call.getLocalAudioLevel(), 0);
  await call.startLocalAudioLevelObserver(40);
  stage.sound.events.frame(PCM, 0.2, 20);
  stage.sound.events.frame(PCM, 0.2, 20);
  assert.equal(call.getLocalAudioLevel(), told[1][1].audioLevel);
  assert.ok(Math.abs(told[1][1].audioLevel - 0.2) < 1e-9);
  call.stopLocalAudioLevelObserver();
  call.stopRemoteParticipantsAudioLevelObserver();
  for (let i = 0; i < 20; i++) {
    stage.sound.events.frame(PCM, 0.2, 20);
    stage.sound.events.played(0.2, 20);
  }
  assert.equal(told.length, 2);
  assert.equal(call.isLocalAudioLevelObserverRunning(), false);
});

test("a call that the server ends is left after its last words were played", async () => {
  const stage = new Stage();
  const call = stage.call();
  const told = await joinAsTheSdk(call);
  await turns();
  let drain;
  stage.sound.draining = new Promise((resolve) => (drain = resolve));
  stage.socket.say({ type: "status-update", status: "ended" });
  stage.socket.hangUp(1000);
  await turns();
  assert.ok(!names(told).includes("left-meeting"));
  drain();
  await turns();
  assert.deepEqual(names(told).slice(-3), ["app-message", "participant-left", "left-meeting"]);
  assert.ok(!names(told).includes("error"));
  assert.ok(stage.sound.closed);
  assert.ok(stage.microphones[0].track.stopped);
  assert.equal(call.meetingState(), "left-meeting");
});

test("a call that is refused at once: its messages, the error, then the end, in this order", async () => {
  const stage = new Stage();
  const call = stage.call();
  stage.answers = false;
  const joining = joinAsTheSdk(call);
  await turns();
  stage.socket.open();
  await null;
  await null;
  stage.socket.say({ type: "hang" });
  stage.socket.hangUp(1011, "no model is set");
  const told = await joining;
  await turns(6);
  assert.deepEqual(names(told), ["track-started", "app-message", "app-message", "error", "participant-left", "left-meeting"]);
  assert.equal(told[3][1].errorMsg, "no model is set");
  assert.equal(told[3][1].error.type, "connection-error");
});

test("the end is reported without a listener for messages", async () => {
  const stage = new Stage();
  const call = stage.call();
  const told = record(call, "left-meeting", "error");
  await call.join({ url: URL_OF_CALL });
  stage.socket.hangUp(1006);
  await turns(4);
  assert.deepEqual(names(told), ["error", "left-meeting"]);
  assert.match(told[0][1].errorMsg, /lost/);
});

test("destroy hangs up, reports it once, and may be called by its own listeners", async () => {
  const stage = new Stage();
  const call = stage.call();
  const told = await joinAsTheSdk(call);
  call.on("left-meeting", () => call.destroy()); // as the SDK does
  call.sendAppMessage({ type: "end-call" });
  const both = [call.destroy(), call.destroy()];
  await Promise.all(both);
  await call.destroy();
  await call.leave();
  assert.deepEqual(names(told).filter((name) => name === "left-meeting"), ["left-meeting"]);
  assert.deepEqual(stage.socket.sent, ['{"type":"end-call"}']);
  assert.equal(stage.socket.closedWith, 1000);
  assert.ok(stage.sound.closed && stage.microphones[0].track.stopped && call.isDestroyed());
  stage.socket.say({ type: "hang" });
  await turns();
  assert.equal(heard(told).length, 0);
  await assert.rejects(call.join({ url: URL_OF_CALL }), /destroyed/);
});

test("a call can be left at any time while it is being joined", async () => {
  for (const waits of [0, 1, 2, 4]) {
    const stage = new Stage();
    stage.answers = false;
    const call = stage.call();
    const told = record(call, "left-meeting", "error");
    const joining = call.join({ url: URL_OF_CALL });
    for (let i = 0; i < waits; i++) await null;
    if (waits === 4) await turns();
    await call.destroy();
    await assert.rejects(joining);
    await turns();
    assert.deepEqual(names(told), ["left-meeting"]);
    assert.ok(stage.sounds.every(({ closed }) => closed), `after ${waits}`);
    assert.ok(stage.microphones.every(({ track }) => track.stopped), `after ${waits}`);
    assert.ok(stage.sockets.every(({ closedWith }) => closedWith !== null), `after ${waits}`);
  }
});

test("a call object can join one call after another", async () => {
  const stage = new Stage();
  const call = stage.call();
  const told = await joinAsTheSdk(call);
  await turns();
  stage.socket.hangUp(1000);
  await turns();
  await call.join({ url: `${URL_OF_CALL}2` });
  stage.socket.say({ type: "hang" });
  await turns();
  assert.equal(stage.sockets.length, 2);
  assert.deepEqual(heard(told), ["listening", '{"type":"hang"}']);
  await assert.rejects(call.join({ url: URL_OF_CALL }), /joined-meeting/);
});

test("a failed connection is an error, and nothing stays open", async () => {
  const stage = new Stage();
  stage.answers = false;
  const call = stage.call();
  const told = record(call, "error", "left-meeting");
  const joining = call.join({ url: URL_OF_CALL });
  await turns();
  stage.socket.refuse();
  await assert.rejects(joining, /cannot be reached/);
  assert.deepEqual(names(told), ["error"]);
  assert.equal(call.meetingState(), "error");
  assert.ok(stage.sound.closed && stage.microphones[0].track.stopped);
});

test("a URL of Daily's is refused with an explanation", async () => {
  const stage = new Stage();
  await assert.rejects(stage.call().join({ url: "https://vapi.daily.co/room" }), /apiBaseUrl/);
  await assert.rejects(stage.call().join(), /webCallUrl/);
  assert.equal(stage.asked.length, 0);
});

test("an error in a listener does not keep the others from being called", async () => {
  const stage = new Stage();
  const call = stage.call();
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.message);
  call.on("left-meeting", () => {
    throw new Error("a page's own");
  });
  const told = record(call, "left-meeting");
  const gone = () => assert.fail("it does not listen any more");
  call.on("left-meeting", gone).off("left-meeting", gone);
  await call.join({ url: URL_OF_CALL });
  await call.leave();
  delete globalThis.reportError;
  assert.deepEqual(reported, ["a page's own"]);
  assert.equal(told.length, 1);
});

test("unsupported features are errors", async () => {
  const call = new Stage().call();
  const told = record(call, "recording-error");
  call.startRecording();
  assert.match(told[0][1].errorMsg, /artifactPlan/);
  call.stopRecording();
  assert.throws(() => call.startScreenShare(), /screen sharing/);
  call.stopScreenShare();
  assert.throws(() => call.setLocalVideo(true), /video/);
  await assert.rejects(call.setInputDevicesAsync({ videoDeviceId: "camera" }), /video/);
  await assert.rejects(call.testNetworkConnectivity(new Track()), /TURN/);
  await assert.rejects(call.testWebsocketConnectivity(), /join/);
  await assert.rejects(call.testCallQuality(), /media server/);
  assert.equal(call.iframe(), null);
  assert.equal(call.localVideo(), false);
});

test("a call that failed is an error with the server's sentence, before it is over", async () => {
  const why = 'the model groq answered 404; check model.model; it says: "no such model"';
  for (const code of [1000, 1011]) {
    const stage = new Stage();
    const call = stage.call();
    const told = await joinAsTheSdk(call);
    const errors = record(call, "error", "left-meeting");
    await turns();
    stage.socket.say({ type: "status-update", status: "ended", endedReason: "pipeline-error", call: { endedMessage: why } });
    stage.socket.hangUp(code, "the model groq answered");
    await turns();
    assert.deepEqual(names(errors), ["error", "left-meeting"]);
    assert.equal(errors[0][1].errorMsg, why);
    assert.equal(errors[0][1].error.msg, why);
    assert.ok(heard(told).some((text) => text.includes("status-update")));
  }
});

test("a call that ended as it should is no error", async () => {
  const stage = new Stage();
  const call = stage.call();
  await joinAsTheSdk(call);
  const errors = record(call, "error", "left-meeting");
  await turns();
  stage.socket.say({ type: "status-update", status: "ended", endedReason: "assistant-ended-call", call: {} });
  stage.socket.hangUp(1000);
  await turns();
  assert.deepEqual(names(errors), ["left-meeting"]);
});
