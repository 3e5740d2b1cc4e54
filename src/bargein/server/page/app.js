/** The page: it passes the user's actions to the session, and shows the session's events. */

import { GREETING, assistantFrom } from "./assistant.js";
import { askForMicrophone } from "./audio/sound.js";
import { EMPTY } from "./conversation.js";
import { ConversationView } from "./conversation-view.js";
import { Messages } from "./messages.js";
import { Session } from "./session.js";
import { Timeline, clock, loudness } from "./timeline.js";
import { explain } from "./troubles.js";
import { Watching } from "./watching.js";

const KEY = "bargein.public-key";
const METER_FALL = 0.08;
const STATES = {
  idle: "Ready",
  calling: "Calling…",
  live: "Connected",
  user: "Listening",
  assistant: "Speaking",
  late: "Taking its time…",
  ended: "Call ended",
  waiting: "Waiting for the call…",
};
/** The id of another client's call to watch. */
const WATCHED = new URLSearchParams(location.search).get("listen");

/** @param {string} id @returns {any} the element, which exists in the document */
const part = (id) => document.getElementById(id);

const timeline = new Timeline(part("timeline"), part("marks"));
const view = new ConversationView(part("turns"), part("scroller"), announce);
const messages = new Messages({
  list: part("messages"),
  filter: part("filter"),
  frequent: part("frequent"),
  count: part("message-count"),
});

/** @type {Session | Watching | null} */
let session = null;
let busy = false;
let meter = 0;

/** @returns {Session | Watching | null} the current call, or the last one */
export function currentSession() {
  return session;
}

function setState(state) {
  document.body.dataset.state = ["user", "assistant", "late"].includes(state) ? "live" : state;
  document.body.dataset.speaker = state;
  part("state").textContent = STATES[state];
  const live = document.body.dataset.state === "live";
  const call = part("call");
  call.textContent = live ? "Hang up" : state === "calling" ? "Calling…" : "Start call";
  call.disabled = state === "waiting";
  call.setAttribute("aria-busy", String(state === "calling"));
  part("mute").disabled = !live || session instanceof Watching;
  for (const control of part("type").elements) control.disabled = !live;
}

function announce(text) {
  part("live").textContent = text;
}

async function startCall({ silent = false } = {}) {
  const settings = part("settings");
  if (busy || !settings.reportValidity()) return;
  await begin("calling", async () => {
    const stream = silent ? null : await askForMicrophone();
    messages.clear();
    return Session.start(assistantFrom(wishes()), sessionStorage.getItem(KEY) ?? "", stream, listeners());
  });
}

/** Watch the call whose id is in the page's address. */
async function watchCall() {
  await begin("waiting", () => Watching.start(WATCHED ?? "", listeners()));
}

/** @param {string} state @param {() => Promise<Session | Watching>} start */
async function begin(state, start) {
  busy = true;
  showTrouble(null);
  setState(state);
  try {
    session = await start();
    view.draw(EMPTY);
    view.draw(session.conversation);
    document.body.dataset.called = "";
    showMuted(false);
    showFigures();
    const { track } = session;
    const running = session;
    timeline.start(track, () => running.nowMs());
    setState("live");
  } catch (error) {
    session = null;
    setState("idle");
    showTrouble(explain(error));
  } finally {
    busy = false;
  }
}

function wishes() {
  return {
    firstMessage: part("first-message").value,
    numWords: part("num-words").value,
    voiceSeconds: part("voice-seconds").value,
  };
}

/** @returns {import("./session.js").SessionEvents} */
function listeners() {
  return {
    conversation: (now) => view.draw(now),
    message: (entry) => messages.add(entry),
    level: showLevel,
    cut: showFigures,
    speaker: (speaker) => setState(speaker ?? "live"),
    microphoneLost: () =>
      showTrouble({
        title: "The microphone is gone",
        advice: "It was unplugged or taken away. You can still type.",
        offer: null,
      }),
    ended: ({ trouble }) => {
      timeline.stop();
      showFigures();
      setState("ended");
      showLevel(0);
      if (trouble) showTrouble(trouble);
    },
  };
}

function showLevel(level) {
  meter = Math.max(loudness(level), meter - METER_FALL);
  part("meter").style.setProperty("--level", (level === 0 ? 0 : meter).toFixed(2));
  if (session) part("elapsed").textContent = clock(session.nowMs() / 1000);
}

function showFigures() {
  const cuts = session?.track.cuts.length ?? 0;
  const median = session?.track.medianTookMs() ?? null;
  const figures = part("figures");
  figures.hidden = cuts === 0;
  figures.textContent =
    `${cuts} interruption${cuts === 1 ? "" : "s"}` +
    (median === null ? "" : `, ${cuts === 1 ? "" : "median "}${median} ms`);
  part("timeline").setAttribute(
    "aria-label",
    cuts ? `Who spoke when: ${figures.textContent} to silence` : "Who spoke when",
  );
}

/** @param {import("./troubles.js").Trouble | null} trouble */
function showTrouble(trouble) {
  part("trouble-title").textContent = trouble?.title ?? "";
  part("trouble-advice").textContent = trouble?.advice ?? "";
  part("key-form").hidden = trouble?.offer !== "key";
  part("silent").hidden = trouble?.offer !== "silent";
  part("again").hidden = trouble?.offer !== "again";
  part("trouble").hidden = trouble === null;
  if (trouble?.offer === "key") part("key").focus();
}

function showMuted(muted) {
  part("mute").setAttribute("aria-pressed", String(muted));
  part("mute").setAttribute("aria-label", muted ? "Unmute the microphone" : "Mute the microphone");
}

function showMessages(open) {
  part("drawer").hidden = !open;
  part("open-messages").setAttribute("aria-expanded", String(open));
  messages.show(open);
  part(open ? "filter" : "open-messages").focus();
}

part("first-message").value = GREETING;
setState("idle");

part("call").addEventListener("click", () => {
  if (document.body.dataset.state === "live") session?.hangUp();
  else void startCall();
});
part("again").addEventListener("click", () => void startCall());
part("silent").addEventListener("click", () => void startCall({ silent: true }));
part("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, part("key").value.trim());
  part("key").value = "";
  void startCall();
});
part("settings").parentElement.addEventListener("toggle", ({ target }) => {
  if (target.open) target.scrollIntoView({ block: "nearest" });
});
part("settings").addEventListener("submit", (event) => event.preventDefault());
part("mute").addEventListener("click", () => {
  if (!session) return;
  session.mute(!session.muted);
  showMuted(session.muted);
});
part("type").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = part("words").value.trim();
  if (!words || !session) return;
  if (event.submitter?.value === "say") session.say(words);
  else session.ask(words);
  part("words").value = "";
});
part("open-messages").addEventListener("click", () => showMessages(part("drawer").hidden));
part("close-messages").addEventListener("click", () => showMessages(false));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !part("drawer").hidden) showMessages(false);
});
addEventListener("pagehide", () => session?.leave());
if (WATCHED) void watchCall();
