/** Draws the conversation: an article for each turn, redrawn only when the turn has changed. */

/** @typedef {import("./conversation.js").Turn} Turn */

const NEAR_THE_END_PX = 80;
const AHEAD_CHARS = 160; // a fast model is far ahead of its voice: only the beginning of the unheard text is shown

/**
 * @param {string} tag
 * @param {string} [className]
 * @param {string} [text]
 * @returns {HTMLElement}
 */
export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** Keeps a list element in step with the conversation. */
export class ConversationView {
  #list;
  #scroller;
  #announce;
  #drawn = new Map();
  #following = true;
  #dots = element("li", "turn user listening");

  /**
   * @param {HTMLElement} list
   * @param {HTMLElement} scroller element that scrolls it
   * @param {(text: string) => void} announce says something to a screen reader
   */
  constructor(list, scroller, announce) {
    this.#list = list;
    this.#scroller = scroller;
    this.#announce = announce;
    scroller.addEventListener("scroll", () => {
      this.#following = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_THE_END_PX;
    });
    new ResizeObserver(() => this.#follow()).observe(scroller);
    this.#dots.append(element("p", "who", "You"), element("p", "dots"));
    this.#dots.lastElementChild.append(element("i"), element("i"), element("i"));
  }

  /** @param {import("./conversation.js").Conversation} now */
  draw(now) {
    const before = this.#drawn;
    this.#drawn = new Map();
    for (const turn of now.turns) {
      const old = before.get(turn.key);
      const item = old?.turn === turn ? old.item : drawTurn(turn);
      if (old && old.item !== item) old.item.replaceWith(item);
      if (!old) this.#list.append(item);
      if (old?.turn !== turn) this.#tell(old?.turn, turn);
      this.#drawn.set(turn.key, { turn, item });
      before.delete(turn.key);
    }
    for (const { item } of before.values()) item.remove();
    if (now.listening) this.#list.append(this.#dots);
    else this.#dots.remove();
    this.#follow();
  }

  /** Partial words would flood a screen reader: only final text is announced. */
  #tell(old, turn) {
    if (turn.role === "note") this.#announce(turn.text);
    else if (turn.role === "user" && turn.running === "" && old?.text !== turn.text)
      this.#announce(`You: ${turn.text}`);
    else if (turn.state === "said" && old?.state === "speaking") this.#announce(`Assistant: ${turn.text}`);
    else if (turn.state === "interrupted" && turn.tookMs !== null && old?.tookMs === null) {
      this.#announce(`You cut in. The assistant was silent after ${turn.tookMs} milliseconds.`);
    }
  }

  /** A user who has scrolled back stays there. */
  #follow() {
    if (this.#following && this.#drawn.size > 0) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }
}

function drawTurn(turn) {
  const item = element("li", `turn ${turn.role} ${turn.state}`);
  item.dataset.state = turn.state;
  if (turn.turnId) item.dataset.turnId = turn.turnId;
  if (turn.role === "note") {
    item.append(element("p", "text", turn.text));
    return item;
  }
  item.append(element("p", "who", turn.role === "user" ? "You" : "Assistant"));
  const text = element("p", "text");
  text.append(...(turn.role === "user" ? userText(turn) : assistantText(turn)));
  item.append(text);
  return item;
}

function userText({ text, running }) {
  const settled = text.slice(0, text.length - running.length);
  return [settled, ...(running ? [element("span", "running", running)] : [])];
}

function assistantText(turn) {
  const heard = turn.text.slice(0, turn.heard);
  const rest = turn.text.slice(turn.heard);
  if (turn.state !== "interrupted" && turn.state !== "cut") {
    return [element("span", "heard", heard), element("span", "coming", beginning(rest))];
  }
  const parts = [];
  if (heard.trim()) parts.push(struck("heard", "heard: ", heard.trimEnd()));
  parts.push(cutMark(turn));
  if (rest.trim()) parts.push(...unheard(rest.trim()));
  return parts;
}

/** The beginning of the text, and the rest on demand. */
function unheard(text) {
  const first = beginning(text);
  const shown = struck("unheard", "not heard: ", first);
  if (first === text) return [shown];
  const words = text
    .slice(first.length - 1)
    .trim()
    .split(/\s+/u).length;
  const more = /** @type {HTMLButtonElement} */ (element("button", "more", `${words} more words`));
  more.type = "button";
  more.addEventListener("click", () => {
    shown.replaceWith(struck("unheard", "not heard: ", text));
    more.remove();
  });
  return [shown, " ", more];
}

function beginning(text) {
  if (text.length <= AHEAD_CHARS * 1.25) return text;
  return `${text.slice(0, text.lastIndexOf(" ", AHEAD_CHARS))}…`;
}

function struck(className, label, text) {
  const made = element("del", className, text);
  made.prepend(element("span", "visually-hidden", label));
  return made;
}

function cutMark({ state, tookMs }) {
  const words = state === "cut" ? "stopped" : tookMs === null ? "cut" : `silent in ${tookMs} ms`;
  const mark = element("span", "cut-mark", words);
  mark.title = tookMs === null ? "" : `${tookMs} ms from your first sound to silence`;
  return mark;
}
