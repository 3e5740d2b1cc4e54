/** A browser without sound and network, for tests of the call object. */

import { DailyCall } from "../dist/index.mjs";

export const URL_OF_CALL = "ws://127.0.0.1:8700/5f0c/transport";

/** A track, as far as the call object looks at one. */
export class Track extends EventTarget {
  kind = "audio";
  stopped = false;
  settings = { deviceId: "mic-1", noiseSuppression: true };
  applied = [];
  refusal = null;
  stop() {
    this.stopped = true;
  }
  getSettings() {
    return this.settings;
  }
  getConstraints() {
    return { echoCancellation: true };
  }
  async applyConstraints(constraints) {
    if (this.refusal) throw this.refusal;
    this.applied.push(constraints);
    this.settings = { ...this.settings, ...constraints };
  }
}

/** The far end of a socket, and the socket. */
export class Socket {
  OPEN = 1;
  readyState = 0;
  bufferedAmount = 0;
  sent = [];
  closedWith = null;
  constructor(url) {
    this.url = url;
  }
  open() {
    this.readyState = 1;
    this.onopen();
  }
  refuse() {
    this.readyState = 3;
    this.onclose?.({ code: 1006, reason: "" });
  }
  say(message) {
    this.onmessage?.({ data: typeof message === "string" || message instanceof ArrayBuffer ? message : JSON.stringify(message) });
  }
  hangUp(code = 1000, reason = "") {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
  send(data) {
    this.sent.push(data);
  }
  close(code) {
    this.readyState = 3;
    this.closedWith = code ?? 1005;
  }
}

export class Sound {
  track = new Track();
  done = [];
  closed = false;
  constructor(microphone, events, workletUrl) {
    Object.assign(this, { microphone, events, workletUrl });
  }
  play(pcm) {
    this.done.push(["play", pcm.byteLength]);
  }
  flush() {
    this.done.push(["flush"]);
  }
  mute(muted) {
    this.done.push(["mute", muted]);
  }
  listenTo(microphone) {
    this.microphone = microphone;
  }
  async drained() {
    this.done.push(["drained"]);
    await this.draining;
  }
  close() {
    this.closed = true;
  }
}

/** Everything that the call object is given, and a record of it. */
export class Stage {
  sockets = [];
  sounds = [];
  microphones = [];
  asked = [];
  /** Thrown by whoever asks for a microphone. */
  refusal = null;
  /** Whether a socket opens by itself. */
  answers = true;

  get platform() {
    return {
      connect: (url) => {
        const socket = new Socket(url);
        this.sockets.push(socket);
        if (this.answers) setTimeout(() => socket.open());
        return socket;
      },
      openSound: async (microphone, events, workletUrl) => {
        const sound = new Sound(microphone, events, workletUrl);
        this.sounds.push(sound);
        return sound;
      },
      openMicrophone: async (source) => {
        this.asked.push(source);
        if (this.refusal) throw this.refusal;
        if (source === false) return null;
        const own = typeof source !== "object";
        const microphone = { track: own ? new Track() : source, own };
        this.microphones.push(microphone);
        return microphone;
      },
    };
  }

  call(properties) {
    return new DailyCall(properties, this.platform);
  }

  get socket() {
    return this.sockets.at(-1);
  }

  get sound() {
    return this.sounds.at(-1);
  }
}

/** Record events in the order they come: `[name, event]`. */
export function record(call, ...names) {
  const told = [];
  for (const name of names) call.on(name, (event) => told.push([name, event]));
  return told;
}

/** Do with a call object what Vapi's web SDK does, in its order; gives what it hears. */
export async function joinAsTheSdk(call, url = URL_OF_CALL) {
  const told = record(call, "left-meeting", "error", "camera-error", "participant-left");
  call.on("track-started", async (event) => {
    told.push(["track-started", event]);
    await null; // the page's audio element begins to play
    call.sendAppMessage("playable");
  });
  call.on("participant-joined", ({ participant }) => {
    if (participant.local) return;
    call.updateParticipant(participant.session_id, { setSubscribedTracks: { audio: true, video: false } });
  });
  await call.join({ url, subscribeToTracksAutomatically: false });
  await call.startRemoteParticipantsAudioLevelObserver(100);
  call.on("app-message", (event) => told.push(["app-message", event]));
  return told;
}

/** A few turns of the event loop. */
export async function turns(count = 3) {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve));
}

export const names = (told) => told.map(([name]) => name);
export const heard = (told) => told.flatMap(([name, event]) => (name === "app-message" ? [event.data] : []));
