/**
 * The conversation, computed from a call's messages: a pure reducer.
 *
 * An assistant's turn is identified by the `turnId` of its `model-output`. A turn without a model (the first
 * message, a `say`) has none; it is the turn that is being spoken. Its heard part grows with
 * `assistant.speechStarted`, and the `conversation-update` after its end is final.
 */

import { charsOfWords, matchPrefix } from "./words.js";

/**
 * @typedef {object} Turn
 * @property {number} key does not change
 * @property {"assistant" | "user" | "note"} role
 * @property {string} text its text as far as known
 * @property {"coming" | "speaking" | "said" | "cut" | "interrupted"} state
 *   of an assistant: not yet audible; audible; heard to its end; stopped, but not by the caller; stopped by the caller
 * @property {number} heard number of characters that have been heard
 * @property {string | null} turnId
 * @property {number | null} turn the number that Vapi's `speech-update` gives it
 * @property {boolean} whole of an assistant: its text is complete
 * @property {string} running of a user: the partial that the final will replace
 * @property {number | null} tookMs of an interrupted turn: from the caller's first sound to silence
 */

/**
 * @typedef {object} Conversation
 * @property {readonly Turn[]} turns
 * @property {boolean} listening the caller speaks, and no words have arrived yet
 * @property {ReadonlySet<string>} discarded the turns whose further tokens are ignored
 * @property {number} remembered number of the assistant's turns in the server's history
 * @property {boolean} newVoice the caller has begun to speak since the assistant began
 * @property {number} nextKey
 */

/** @type {Conversation} */
export const EMPTY = Object.freeze({
  turns: Object.freeze([]),
  listening: false,
  discarded: new Set(),
  remembered: 0,
  newVoice: false,
  nextKey: 1,
});

/**
 * Apply a message.
 *
 * @param {Conversation} now
 * @param {Record<string, any>} message a client message, or one of the page's own: `page.note` and `page.typed`
 *   with a `text`, `page.silence` with the `key` of a turn and `tookMs`
 * @returns {Conversation} `now` itself if nothing changed
 */
export function reduce(now, message) {
  const take = TAKE.get(message.type);
  return take ? take(now, message) : now;
}

/**
 * @param {Conversation} now
 * @returns {Turn | null} the assistant's turn with the latest interruption
 */
export function lastInterrupted(now) {
  return now.turns.findLast((turn) => turn.state === "interrupted") ?? null;
}

/** @typedef {(now: Conversation, message: any) => Conversation} Taker */

const TAKE = new Map(
  /** @type {[unknown, Taker][]} */ ([
    ["model-output", takeToken],
    ["voice-input", takeVoiceInput],
    ["speech-update", takeSpeech],
    ["assistant.speechStarted", takeProgress],
    ["transcript", takeTranscript],
    ["user-interrupted", takeInterruption],
    ["conversation-update", takeHistory],
    ["status-update", takeStatus],
    ["page.typed", (now, { text }) => add(now, { role: "user", state: "said", text })],
    ["page.note", (now, { text }) => add(now, { role: "note", state: "said", text })],
    ["page.silence", (now, { key, tookMs }) => change(now, key, { tookMs })],
  ]),
);

function takeToken(now, { turnId = null, output }) {
  if (typeof output !== "string" || output === "" || now.discarded.has(turnId)) return now;
  const turn = now.turns.findLast((one) => one.role === "assistant" && one.turnId === turnId && isOpen(one));
  if (turn) return change(now, turn.key, { text: turn.text + output });
  return add(now, { role: "assistant", turnId, text: output });
}

/** The text for the voice: the only text of a turn without a model. */
function takeVoiceInput(now, { input }) {
  const turn = openTurn(now);
  if (turn?.turnId || turn?.whole || typeof input !== "string") return now;
  if (!turn) return add(now, { role: "assistant", text: input });
  return change(now, turn.key, { text: `${turn.text} ${input}`.trim() });
}

function takeSpeech(now, { role, status, turn: number = null }) {
  if (role === "user") {
    const started = status === "started";
    return { ...now, listening: started, newVoice: now.newVoice || started };
  }
  const turn = openTurn(now);
  if (status === "started") {
    now = { ...now, newVoice: false };
    if (!turn) return add(now, { role: "assistant", state: "speaking", turn: number });
    return change(now, turn.key, { state: "speaking", turn: number });
  }
  if (turn?.state !== "speaking") return now;
  return change(now, turn.key, { state: "said", heard: turn.text.length });
}

function takeProgress(now, { turn: number, text, timing, source }) {
  const turn = now.turns.findLast((one) => one.role === "assistant" && one.turn === number) ?? openTurn(now);
  if (!turn || !isOpen(turn)) return now;
  // The whole text of a turn without a model arrives at once.
  const whole = source !== "model" && !turn.turnId && typeof text === "string";
  const known = whole ? text : turn.text;
  const heard = timing?.type === "word-progress" ? charsOfWords(known, timing.wordsSpoken) : turn.heard;
  return change(now, turn.key, { text: known, whole, heard: Math.max(heard, turn.heard) });
}

function takeTranscript(now, { role, transcriptType, transcript }) {
  if (role !== "user" || typeof transcript !== "string" || transcript.trim() === "") return now;
  const said = transcript.trim();
  const final = transcriptType === "final";
  now = { ...now, listening: false };
  const last = now.turns.findLast((turn) => turn.role === "user");
  const reacts = last && (now.turns.at(-1) === last || (last.running !== "" && !now.newVoice));
  if (!reacts) return add(now, { role: "user", state: "said", text: said, running: final ? "" : said });
  const settled = last.text.slice(0, last.text.length - last.running.length).trimEnd();
  const text = settled ? `${settled} ${said}` : said;
  return change(now, last.key, { text, running: final ? "" : said });
}

function takeInterruption(now, { turnId = null }) {
  if (turnId) now = { ...now, discarded: new Set([...now.discarded, turnId]) };
  const turn = now.turns.findLast((one) => one.role === "assistant" && one.turnId === turnId && !isCut(one));
  return turn ? change(now, turn.key, { state: "interrupted" }) : now;
}

/** The last assistant text in it is the heard text: for an interrupted turn, a prefix. */
function takeHistory(now, message) {
  const texts = spokenTexts(message);
  if (texts.length === now.remembered) return now;
  now = { ...now, remembered: texts.length };
  const turn = now.turns.findLast((one) => one.role === "assistant" && one.turn !== null && one.state !== "speaking");
  const heard = turn ? matchPrefix(turn.text, texts.at(-1) ?? "") : null;
  if (!turn || heard === null) return now;
  const cut = turn.state === "said" && heard < turn.text.trimEnd().length;
  return change(now, turn.key, { heard, state: cut ? "cut" : turn.state });
}

function spokenTexts({ messages, conversation, messagesOpenAIFormatted }) {
  if (Array.isArray(messages)) return messages.filter((one) => one.role === "bot").map((one) => one.message);
  const chat = conversation ?? messagesOpenAIFormatted ?? [];
  return chat.filter((one) => one.role === "assistant").map((one) => one.content);
}

function takeStatus(now, { status }) {
  if (status !== "ended") return now;
  const turns = now.turns.map((turn) => (turn.role === "assistant" && isOpen(turn) ? { ...turn, state: "cut" } : turn));
  return { ...now, turns, listening: false };
}

function isOpen(turn) {
  return turn.state === "coming" || turn.state === "speaking";
}

function isCut(turn) {
  return turn.state === "cut" || turn.state === "interrupted";
}

function openTurn(now) {
  return now.turns.findLast((turn) => turn.role === "assistant" && isOpen(turn)) ?? null;
}

function add(now, turn) {
  const blank = { key: now.nextKey, text: "", state: "coming", heard: 0, turnId: null, turn: null, whole: false };
  return { ...now, turns: [...now.turns, { ...blank, running: "", tookMs: null, ...turn }], nextKey: now.nextKey + 1 };
}

function change(now, key, what) {
  return { ...now, turns: now.turns.map((turn) => (turn.key === key ? { ...turn, ...what } : turn)) };
}
