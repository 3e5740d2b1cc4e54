/** The raw messages of a call, on demand: newest last, filtered, and in a limited number. */

import { element } from "./conversation-view.js";

const MOST = 500;
const ENVELOPE = new Set(["assistant", "call", "customer", "newAssistant", "phoneNumber"]);
const FREQUENT = new Set(["model-output", "voice-input", "assistant.speechStarted"]);

/**
 * @typedef {object} Entry
 * @property {number} atMs since the call began
 * @property {"in" | "out"} way
 * @property {Record<string, any>} message
 */

/** The drawer with the messages. It draws nothing while it is closed. */
export class Messages {
  #list;
  #filter;
  #frequent;
  #count;
  /** @type {Entry[]} */
  #entries = [];
  /** @type {WeakMap<Entry, HTMLElement>} */
  #rows = new WeakMap();
  #dropped = 0;
  #open = false;

  /** @param {{list: HTMLElement, filter: HTMLInputElement, frequent: HTMLInputElement, count: HTMLElement}} parts */
  constructor({ list, filter, frequent, count }) {
    this.#list = list;
    this.#filter = filter;
    this.#frequent = frequent;
    this.#count = count;
    filter.addEventListener("input", () => this.#redraw());
    frequent.addEventListener("change", () => this.#redraw());
  }

  /** @param {boolean} open */
  show(open) {
    this.#open = open;
    if (open) this.#redraw();
    else this.#list.replaceChildren();
  }

  clear() {
    this.#entries = [];
    this.#dropped = 0;
    if (this.#open) this.#redraw();
  }

  /** @param {Entry} entry */
  add(entry) {
    this.#entries.push(entry);
    if (this.#entries.length > MOST) this.#drop();
    if (!this.#open) return;
    if (this.#wants(entry)) this.#append(this.#row(entry));
    this.#tellCount();
  }

  /** The oldest of the frequent messages is removed first: tokens matter less than interruptions. */
  #drop() {
    const frequent = this.#entries.findIndex(({ message }) => isFrequent(message));
    const [entry] = this.#entries.splice(Math.max(0, frequent), 1);
    this.#rows.get(entry)?.remove();
    this.#dropped += 1;
  }

  #wants({ message }) {
    if (!this.#frequent.checked && isFrequent(message)) return false;
    const sought = this.#filter.value.trim().toLowerCase();
    return !sought || JSON.stringify(message, withoutEnvelope).toLowerCase().includes(sought);
  }

  #redraw() {
    this.#list.replaceChildren(...this.#entries.filter((entry) => this.#wants(entry)).map((entry) => this.#row(entry)));
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#tellCount();
  }

  #row(entry) {
    const made = this.#rows.get(entry) ?? drawRow(entry);
    this.#rows.set(entry, made);
    return made;
  }

  #append(item) {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    const follow = scrollHeight - scrollTop - clientHeight < 40;
    this.#list.append(item);
    if (follow) this.#list.scrollTop = this.#list.scrollHeight;
  }

  #tellCount() {
    const shown = this.#list.childElementCount;
    const older = this.#dropped ? `, ${this.#dropped} older dropped` : "";
    this.#count.textContent = `${shown} of ${this.#entries.length}${older}`;
  }
}

/** Fields of most messages are not searched: they would match most messages. */
function withoutEnvelope(name, value) {
  return ENVELOPE.has(name) ? undefined : value;
}

/** @param {Record<string, any>} message */
function isFrequent({ type, transcriptType }) {
  return FREQUENT.has(type) || (type === "transcript" && transcriptType === "partial");
}

function drawRow({ atMs, way, message }) {
  const item = element("li", `message ${way}`);
  const details = document.createElement("details");
  const summary = element("summary");
  const type = element("span", message.type === "user-interrupted" ? "type cut" : "type", String(message.type));
  summary.append(element("time", "", (atMs / 1000).toFixed(2)), type, element("span", "gist", gist(message)));
  const direction = element("span", "visually-hidden", way === "in" ? "received" : "sent");
  summary.prepend(direction);
  details.append(summary);
  // Most rows are never opened: the long text is made on opening.
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) {
      details.append(element("pre", "", JSON.stringify(message, null, 2)));
    }
  });
  item.append(details);
  return item;
}

/** The fields that distinguish messages of a type. */
function gist(message) {
  const {
    role,
    status,
    transcript,
    transcriptType,
    output,
    input,
    content,
    control,
    turnId,
    endedReason,
    text,
    timing,
  } = message;
  const words = [role, status, transcriptType, control, endedReason];
  if (timing?.wordsSpoken !== undefined) words.push(`${timing.wordsSpoken}/${timing.totalWords}`);
  for (const quoted of [transcript, output, input, content, message.message?.content, timing ? undefined : text]) {
    if (typeof quoted === "string") words.push(`“${quoted}”`);
  }
  if (typeof turnId === "string") words.push(turnId.slice(0, 8));
  return words.filter(Boolean).join(" ");
}
