/** One session in a call, from `join()` to its end: the audio, the socket, and the messages. */

import { playOn } from "./devices.js";
import { Inbox } from "./inbox.js";
import { type Connect, CallSocket } from "./call-socket.js";
import { ASSISTANT, newId, participant, voiceState } from "./participants.js";
import type { OpenSound, Sound } from "./sound.js";
import type { DailyParticipant } from "./types.js";

/** Time limit for the message `playable`, which confirms playback; it never comes where a browser blocks audio. */
const PLAYABLE_MS = 1500;
const DRAIN_MS = 1000;
const MOST_UNSENT = 100;

/** The options of joining a call. */
export interface Entrance {
  url: string;
  microphone: MediaStreamTrack | null;
  muted: boolean;
  speakerId: string;
  workletUrl: string | undefined;
  /** Whether there is a listener for messages already: then a running call is rejoined. */
  rejoining: boolean;
  connect: Connect;
  openSound: OpenSound;
}

export interface SessionEvents {
  /** The assistant has joined. If a listener subscribes to its track, the session waits until the track is played. */
  arrived(): void;
  /** The assistant's track is loading. */
  subscribed(track: MediaStreamTrack): void;
  message(data: string): void;
  /** Level of the caller. */
  heard(rms: number, ms: number): void;
  /** Level of the assistant. */
  played(rms: number, ms: number): void;
  /** The server ended the call; `trouble` is the error, if there was one. */
  over(trouble: string | null): void;
}

export class Session {
  readonly assistantId = newId();
  readonly joinedAt = new Date();
  #events: SessionEvents;
  #leaving = new AbortController();
  #inbox = new Inbox();
  #subscribed = false;
  #playable = () => {};
  #unsent: string[] = [];
  #sound: Sound | null = null;
  #socket: CallSocket | null = null;
  /** Why the call failed: the server's own sentence. */
  #failure: string | null = null;

  constructor(events: SessionEvents) {
    this.#events = events;
  }

  /** The assistant's track, once there is audio. */
  get track(): MediaStreamTrack | null {
    return this.#sound?.track ?? null;
  }

  get subscribed(): boolean {
    return this.#subscribed;
  }

  /** The assistant, once there is audio. */
  get assistant(): DailyParticipant | null {
    if (!this.#sound) return null;
    const audio = voiceState(this.#sound.track, this.#subscribed);
    return participant({ sessionId: this.assistantId, name: ASSISTANT, local: false, joinedAt: this.joinedAt, audio });
  }

  /**
   * Join. The socket is opened last, when the assistant's track is being played: the server speaks at once, and its
   * first words must not be lost.
   */
  async enter(entrance: Entrance): Promise<void> {
    const leaving = this.#leaving.signal;
    leaving.throwIfAborted();
    const sound = await this.#open(entrance);
    this.#sound = sound;
    await this.#introduce(entrance.speakerId);
    if (entrance.rejoining) this.listen();
    const socket = await CallSocket.open(
      entrance.url,
      {
        text: (text) => this.#hear(text),
        audio: (pcm) => sound.play(pcm),
        closed: ({ expected, reason }) => void this.#hungUp(expected ? null : reason),
      },
      leaving,
      entrance.connect,
    );
    if (leaving.aborted) socket.close();
    leaving.throwIfAborted();
    this.#socket = socket;
    if (!entrance.rejoining) this.#inbox.add(() => this.#events.message("listening"));
    for (const text of this.#unsent.splice(0)) socket.send(text);
  }

  /** Leave. No more events are sent. */
  leave(): void {
    this.#leaving.abort(new Error("the call was left"));
    this.#inbox.close();
    this.#socket?.close();
    this.#sound?.close();
  }

  /** There is a listener for messages now. */
  listen(): void {
    this.#inbox.open();
  }

  /** The page plays the assistant's track. */
  playable(): void {
    this.#playable();
  }

  send(text: string): void {
    if (this.#socket) this.#socket.send(text);
    else if (this.#unsent.length < MOST_UNSENT) this.#unsent.push(text);
  }

  mute(muted: boolean): void {
    this.#sound?.mute(muted);
  }

  listenTo(microphone: MediaStreamTrack | null): void {
    this.#sound?.listenTo(microphone);
  }

  subscribe(): void {
    if (!this.#sound || this.#subscribed) return;
    this.#subscribed = true;
    this.#events.subscribed(this.#sound.track);
  }

  async #open({ openSound, microphone, muted, workletUrl }: Entrance): Promise<Sound> {
    const sound = await openSound(
      microphone,
      {
        frame: (pcm, rms, ms) => {
          this.#socket?.sendAudio(pcm);
          this.#events.heard(rms, ms);
        },
        played: (rms, ms) => this.#events.played(rms, ms),
      },
      workletUrl,
    );
    if (this.#leaving.signal.aborted) sound.close();
    this.#leaving.signal.throwIfAborted();
    sound.mute(muted);
    return sound;
  }

  /** Announce the assistant to the page, and wait until its track is being played. */
  async #introduce(speakerId: string): Promise<void> {
    const playing = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, PLAYABLE_MS);
      this.#playable = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#leaving.signal.addEventListener("abort", this.#playable);
    });
    this.#events.arrived();
    if (!this.#subscribed) this.#playable();
    await playing;
    if (speakerId !== "default" && this.track) await playOn(speakerId, this.track).catch(() => {}); // or the default
  }

  #hear(text: string): void {
    const message = parsed(text);
    // Before all listeners: interrupted audio must stop at once. Frames of the next reply come after this message.
    if (message?.type === "user-interrupted") this.#sound?.flush();
    this.#failure ??= failureIn(message);
    this.#inbox.add(() => this.#events.message(text));
  }

  async #hungUp(closing: string | null): Promise<void> {
    const trouble = this.#failure ?? closing;
    if (closing === null) await this.#sound?.drained(DRAIN_MS); // the last words
    if (this.#leaving.signal.aborted) return;
    this.#inbox.add(() => this.#events.over(trouble));
    // By then `join()` has returned, and its caller has added a listener or never will.
    setTimeout(() => this.listen());
  }
}

interface ServerMessage {
  type?: unknown;
  status?: unknown;
  call?: { endedMessage?: unknown } | null;
}

function parsed(text: string): ServerMessage | null {
  try {
    return JSON.parse(text) as ServerMessage | null;
  } catch {
    return null; // a bare word, as in Vapi's own calls
  }
}

/** Why a call failed, if this is the message of its end and it did. */
function failureIn(message: ServerMessage | null): string | null {
  if (message?.type !== "status-update" || message.status !== "ended") return null;
  const why = message.call?.endedMessage;
  return typeof why === "string" && why !== "" ? why : null;
}
