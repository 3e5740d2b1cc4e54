/** Another client's call, watched through `monitor.listenUrl`. No DOM, no audio output. */

import { Call, CallError, warningIn } from "./call.js";
import { EMPTY, reduce } from "./conversation.js";
import { watch } from "./insight.js";
import { Track } from "./track.js";
import { explainClosing, explainEnding, explainFailure, failureIn } from "./troubles.js";

const NOT_LIVE = 1008; // the server's close code while the call is not live
const AGAIN_MS = 1_000;
const WAIT_MS = 150_000; // a telephone may ring for long
const WINDOW_MS = 32; // audio of each voice probability
const FULL = 32768;
const QUIET = new Set(["unducked", "ignored", "resumed", "superseded"]);

/**
 * The page's state of such a call. It has the same parts as a `Session`, except for those of a participant.
 *
 * @typedef {import("./session.js").SessionEvents} SessionEvents
 */
export class Watching {
  track = new Track();
  conversation = EMPTY;
  muted = false;
  #id;
  #events;
  #clock;
  #zeroMs = 0;
  #endMs = /** @type {number | null} */ (null);
  #socket = /** @type {Call | null} */ (null);
  #stopWatching = /** @type {(() => void) | null} */ (null);
  #reason = "";
  #failure = "";

  /**
   * @param {string} callId
   * @param {SessionEvents} events
   * @param {{nowMs?: () => number, waitMs?: number, againMs?: number, open?: typeof Call.open}} [how] for tests
   * @returns {Promise<Watching>} once the call is live
   * @throws {CallError} it does not become live
   */
  static async start(callId, events, how = {}) {
    const watching = new Watching(callId, events, how.nowMs);
    const open = how.open ?? Call.open;
    const untilMs = watching.#clock() + (how.waitMs ?? WAIT_MS);
    while (!(await watching.#joined(open))) {
      if (watching.#clock() > untilMs) throw new CallError("refused", "This call is not live, or is over.");
      await new Promise((resolve) => setTimeout(resolve, how.againMs ?? AGAIN_MS));
    }
    void watching.#warn();
    return watching;
  }

  /**
   * @param {string} callId
   * @param {SessionEvents} events
   * @param {() => number} [nowMs]
   */
  constructor(callId, events, nowMs = () => performance.now()) {
    this.#id = callId;
    this.#events = events;
    this.#clock = nowMs;
  }

  get #path() {
    return `/${encodeURIComponent(this.#id)}`;
  }

  /** @returns {number} milliseconds since the watching began */
  nowMs() {
    return this.#endMs ?? this.#clock() - this.#zeroMs;
  }

  /** There is no microphone. */
  mute() {}

  /** @param {string} content text for the assistant to say now */
  say(content) {
    this.#steer({ type: "say", content, interruptionsEnabled: true, interruptAssistantEnabled: true });
  }

  /** @param {string} content text for the history, which the assistant answers */
  ask(content) {
    this.#steer({ type: "add-message", message: { role: "user", content }, triggerResponseEnabled: true });
    this.#take({ type: "page.typed", text: content });
  }

  /** End the call for its participants. */
  hangUp() {
    this.#steer({ type: "end-call" });
  }

  /** Stop watching; the call continues. */
  leave() {
    this.#socket?.leave();
  }

  /** Says what does not work in the call, where the server tells this page: without a private key it does. */
  async #warn() {
    const text = await fetch(`/call${this.#path}`, {}).then(warningIn, () => "");
    if (text) this.#take({ type: "page.note", text: `Note: ${text}` });
  }

  /** Whether the call could be joined: after its first message it is live. */
  #joined(open) {
    return new Promise((resolve, reject) => {
      let live = false;
      const begins = () => {
        if (live) return;
        live = true;
        this.#zeroMs = this.#clock();
        this.#stopWatching = watch(this.#id, () => this.nowMs(), this.#insightEvents());
        resolve(true);
      };
      const events = {
        sent: () => {},
        audio: (pcm) => {
          begins();
          this.#hear(pcm);
        },
        message: (message) => {
          begins();
          this.#read(message);
        },
        closed: ({ code, expected, reason }) => {
          if (live) this.#end(code, expected, reason);
          else if (code === NOT_LIVE) resolve(false);
          else reject(new CallError("unreachable"));
        },
      };
      open(`${this.#path}/listen`, events).then((socket) => (this.#socket = socket), reject);
    });
  }

  #insightEvents() {
    return {
      voice: (times, probabilities) =>
        times.forEach((at, i) => this.track.voice.fill(at - WINDOW_MS, at, probabilities[i])),
      decision: (decision) => {
        if (QUIET.has(decision.what)) this.track.remarks.push(decision);
      },
    };
  }

  /** @param {ArrayBuffer} pcm 16 kHz s16le, the customer on the left and the assistant on the right */
  #hear(pcm) {
    const samples = new Int16Array(pcm);
    const frames = Math.floor(samples.length / 2);
    const atMs = this.nowMs();
    const squares = [0, 0];
    for (let i = 0; i < frames * 2; i++) squares[i % 2] += (samples[i] / FULL) ** 2;
    const [caller, assistant] = squares.map((sum) => Math.sqrt(sum / Math.max(1, frames)));
    const fromMs = Math.max(0, atMs - frames / 16);
    this.track.caller.fill(fromMs, atMs, caller);
    this.track.assistant.fill(fromMs, atMs, assistant);
    this.#events.level(caller);
  }

  #read(message) {
    const atMs = this.nowMs();
    this.#take(message);
    this.#events.message({ atMs, way: "in", message });
    if (message.type === "speech-update") {
      this.track.spoke(message.role, message.status, atMs);
      this.#events.speaker(message.status === "started" ? message.role : null);
    }
    if (message.type === "user-interrupted") {
      this.track.cuts.push({ onsetMs: null, silentMs: atMs, tookMs: null });
      this.#events.cut();
    }
    if (message.type === "hang") this.#events.speaker("late");
    if (message.type === "status-update" && message.status === "ended") this.#reason = message.endedReason ?? "";
    this.#failure = failureIn(message) || this.#failure;
  }

  #take(message) {
    const now = reduce(this.conversation, message);
    if (now === this.conversation) return;
    this.conversation = now;
    this.#events.conversation(now);
  }

  #steer(message) {
    const sent = fetch(`${this.#path}/control`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(message),
    });
    this.#events.message({ atMs: this.nowMs(), way: "out", message });
    sent.catch(() => {}); // the socket reports a lost server
  }

  #end(code, expected, reason = "") {
    this.#stopWatching?.();
    this.#endMs = this.nowMs();
    this.track.close(this.#endMs);
    this.#take({ type: "status-update", status: "ended" });
    const well = expected || code === 1000;
    if (well && !this.#failure) this.#take({ type: "page.note", text: explainEnding(this.#reason, "The caller hung up") });
    if (this.#failure) this.#take({ type: "page.note", text: `The call failed: ${this.#failure}` });
    const trouble = well ? null : explainClosing(code, reason);
    this.#events.ended({ trouble: this.#failure ? explainFailure(this.#failure) : trouble });
  }
}
