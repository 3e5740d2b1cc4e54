/** A call with its connection, audio, words and timeline. No DOM. */

import { Sound } from "./audio/sound.js";
import { Call, createCall } from "./call.js";
import { EMPTY, lastInterrupted, reduce } from "./conversation.js";
import { watch } from "./insight.js";
import { Stopwatch } from "./stopwatch.js";
import { Track } from "./track.js";
import { explainClosing, explainEnding, explainFailure, failureIn } from "./troubles.js";

const WINDOW_MS = 32; // audio of each voice probability
const CUTS_NOTHING = new Set(["unducked", "ignored", "resumed", "superseded"]);

/**
 * @typedef {object} SessionEvents
 * @property {(now: import("./conversation.js").Conversation) => void} conversation
 * @property {(entry: import("./messages.js").Entry) => void} message
 * @property {(level: number) => void} level of the microphone, root mean square
 * @property {() => void} cut an interruption was measured
 * @property {(speaker: "user" | "assistant" | "late" | null) => void} speaker who speaks, or that the assistant is late
 * @property {() => void} microphoneLost
 * @property {(how: {trouble: import("./troubles.js").Trouble | null}) => void} ended called once
 */

/** A live call. */
export class Session {
  track = new Track();
  conversation = EMPTY;
  muted = false;
  #events;
  #stopwatch = new Stopwatch();
  #sound = /** @type {Sound | null} */ (null);
  #call = /** @type {Call | null} */ (null);
  #id = "";
  #stopWatching = /** @type {(() => void) | null} */ (null);
  #zeroMs = 0;
  #endMs = /** @type {number | null} */ (null);
  #reason = "";
  #failure = "";

  /**
   * @param {Record<string, unknown>} assistant
   * @param {string} key the public key, or empty
   * @param {MediaStream | null} stream the microphone; null for a caller who types
   * @param {SessionEvents} events
   * @returns {Promise<Session>} once the connection is open
   */
  static async start(assistant, key, stream, events) {
    const session = new Session(events);
    try {
      const { id, path, warning } = await createCall(assistant, key);
      session.#id = id;
      session.#sound = await Sound.open(stream, session.#soundEvents());
      session.#call = await Call.open(path, session.#callEvents());
      session.#zeroMs = session.#sound.nowMs();
      if (warning) session.#take({ type: "page.note", text: `Note: ${warning}` });
      return session;
    } catch (error) {
      stream?.getTracks().forEach((track) => track.stop());
      await session.#sound?.close();
      throw error;
    }
  }

  /** @param {SessionEvents} events */
  constructor(events) {
    this.#events = events;
  }

  /** @returns {number} milliseconds since the connection was opened */
  nowMs() {
    return this.#endMs ?? (this.#sound?.nowMs() ?? 0) - this.#zeroMs;
  }

  /** @param {boolean} muted the microphone; the server is informed, so that it does not wait for words */
  mute(muted) {
    this.muted = muted;
    this.#sound?.mute(muted);
    this.#call?.send({ type: "control", control: muted ? "mute-customer" : "unmute-customer" });
  }

  /** @param {string} content text for the assistant to say now */
  say(content) {
    this.#call?.send({ type: "say", content, interruptionsEnabled: true, interruptAssistantEnabled: true });
  }

  /** @param {string} content text that the caller typed */
  ask(content) {
    this.#call?.send({ type: "add-message", message: { role: "user", content }, triggerResponseEnabled: true });
    this.#take({ type: "page.typed", text: content });
  }

  hangUp() {
    this.#sound?.flush();
    this.#call?.hangUp();
  }

  /** The page is being closed: end the call. */
  leave() {
    this.hangUp();
  }

  #callEvents() {
    return {
      audio: (pcm) => this.#sound.play(pcm),
      sent: (message) => this.#events.message({ atMs: this.nowMs(), way: "out", message }),
      message: (message) => this.#hear(message),
      closed: (how) => void this.#end(how),
    };
  }

  #soundEvents() {
    return {
      frame: (pcm, level, atMs) => {
        this.track.caller.put(atMs - this.#zeroMs, level);
        this.#events.level(level);
        this.#call?.sendAudio(pcm);
      },
      voice: (what, atMs) => this.#stopwatch.voice(what, atMs),
      playback: ({ level, atMs }) => this.track.assistant.put(atMs - this.#zeroMs, level),
      silent: (atMs) => this.#fellSilent(atMs),
      lost: () => this.#events.microphoneLost(),
    };
  }

  #insightEvents() {
    return {
      voice: (times, probabilities) =>
        times.forEach((at, i) => this.track.voice.fill(at - WINDOW_MS, at, probabilities[i])),
      decision: (decision) => {
        if (CUTS_NOTHING.has(decision.what)) this.track.remarks.push(decision);
      },
    };
  }

  #hear(message) {
    const atMs = this.nowMs();
    // The first message shows that the call runs; before it there is nothing to watch.
    this.#stopWatching ??= watch(this.#id, () => this.nowMs(), this.#insightEvents());
    if (message.type === "user-interrupted") this.#interrupted(message);
    else this.#take(message);
    this.#events.message({ atMs, way: "in", message });
    if (message.type === "speech-update") this.#speech(message, atMs);
    if (message.type === "hang") this.#events.speaker("late");
    if (message.type === "status-update" && message.status === "ended") this.#reason = message.endedReason ?? "";
    this.#failure = failureIn(message) || this.#failure;
  }

  /** The audio stops first; drawing can wait. */
  #interrupted(message) {
    this.#sound.flush();
    const before = lastInterrupted(this.conversation);
    this.#take(message);
    const turn = lastInterrupted(this.conversation);
    if (turn && turn.key !== before?.key && turn.turn !== null) {
      this.#stopwatch.interrupted(turn.key, this.#sound.nowMs());
    }
  }

  #speech({ role, status }, atMs) {
    if (role === "assistant" && status === "started") this.#stopwatch.began(atMs + this.#zeroMs);
    this.track.spoke(role, status, atMs);
    this.#events.speaker(status === "started" ? role : null);
  }

  #fellSilent(atMs) {
    const measured = this.#stopwatch.silent(atMs);
    if (!measured) return;
    const { key, onsetMs, silentMs, tookMs } = measured;
    const zero = this.#zeroMs;
    this.track.cuts.push({ onsetMs: onsetMs === null ? null : onsetMs - zero, silentMs: silentMs - zero, tookMs });
    this.#take({ type: "page.silence", key, tookMs });
    this.#events.cut();
  }

  #take(message) {
    const now = reduce(this.conversation, message);
    if (now === this.conversation) return;
    this.conversation = now;
    this.#events.conversation(now);
  }

  async #end({ code, expected, reason }) {
    this.#stopWatching?.();
    this.#endMs = this.nowMs();
    this.track.close(this.#endMs);
    this.#take({ type: "status-update", status: "ended" });
    const well = expected || code === 1000;
    if (well && !this.#failure) this.#take({ type: "page.note", text: explainEnding(this.#reason) });
    if (this.#failure) this.#take({ type: "page.note", text: `The call failed: ${this.#failure}` });
    const trouble = well ? null : explainClosing(code, reason);
    this.#events.ended({ trouble: this.#failure ? explainFailure(this.#failure) : trouble });
    await this.#sound?.close();
  }
}
