/** Draws a `Track`: two lanes of sound with the voice probability between them, and a mark at each cut. */

import { element } from "./conversation-view.js";
import { Track } from "./track.js";

const BAR_PX = 3;
const GAP_PX = 2;
const PX_PER_SECOND = 52;
const CALM_FRAME_MS = 250;
/** @type {Record<string, [number, number]>} top and bottom */
const LANE = { caller: [26, 76], voice: [80, 112], assistant: [138, 188] };
const AXIS_Y = 205;
const HEIGHT = 214; // the style sheet has the same height

const LOUDEST_DB = -10;
const SOFTEST_DB = -55;

/** @param {number} level root mean square @returns {number} 0 to 1, proportional to loudness */
export function loudness(level) {
  const db = 20 * Math.log10(level + 1e-9);
  return Math.max(0, Math.min(1, (db - SOFTEST_DB) / (LOUDEST_DB - SOFTEST_DB)));
}

/** The chart of a call; it can show one call after another. */
export class Timeline {
  #canvas;
  #marks;
  #context;
  #nowMs = () => 0;
  #track = new Track();
  #frame = 0;
  #drawnAt = -Infinity;
  #marked = new Map();
  #palette = {};
  #endMs = null;
  #calm = matchMedia("(prefers-reduced-motion: reduce)");

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLElement} marks is placed over the canvas
   */
  constructor(canvas, marks) {
    this.#canvas = canvas;
    this.#marks = marks;
    this.#context = canvas.getContext("2d");
    const repaint = () => {
      this.#readPalette();
      this.#paint();
    };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    new ResizeObserver(repaint).observe(canvas);
    repaint();
  }

  /**
   * Follow a call.
   *
   * @param {Track} track
   * @param {() => number} nowMs milliseconds since the call began
   */
  start(track, nowMs) {
    this.#track = track;
    this.#nowMs = nowMs;
    this.#endMs = null;
    this.#marks.replaceChildren();
    this.#marked.clear();
    cancelAnimationFrame(this.#frame);
    this.#tick();
  }

  /** Stop, with the whole call in view. */
  stop() {
    cancelAnimationFrame(this.#frame);
    this.#endMs = this.#nowMs();
    this.#paint();
  }

  #tick() {
    const at = performance.now();
    if (!this.#calm.matches || at - this.#drawnAt >= CALM_FRAME_MS) {
      this.#drawnAt = at;
      this.#paint();
    }
    this.#frame = requestAnimationFrame(() => this.#tick());
  }

  #readPalette() {
    const style = getComputedStyle(this.#canvas);
    for (const name of ["caller", "assistant", "cut", "line", "muted", "quiet"]) {
      this.#palette[name] = style.getPropertyValue(`--${name}`).trim();
    }
    this.#palette.font = `500 11px ${style.fontFamily}`;
  }

  #paint() {
    const width = this.#canvas.clientWidth;
    if (!width) return;
    const ratio = devicePixelRatio || 1;
    if (this.#canvas.width !== Math.round(width * ratio) || this.#canvas.height !== Math.round(HEIGHT * ratio)) {
      this.#canvas.width = Math.round(width * ratio);
      this.#canvas.height = Math.round(HEIGHT * ratio);
    }
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#context.clearRect(0, 0, width, HEIGHT);
    const view = this.#view(width);
    this.#paintAxis(view);
    this.#paintSpeech(view, LANE.caller, this.#track.speech.user, this.#palette.caller);
    this.#paintSpeech(view, LANE.assistant, this.#track.speech.assistant, this.#palette.assistant);
    this.#paintCuts(view);
    this.#paintBars(view, LANE.caller, this.#track.caller, this.#palette.caller);
    this.#paintBars(view, LANE.assistant, this.#track.assistant, this.#palette.assistant);
    this.#paintVoice(view);
    this.#paintRemarks(view);
    this.#placeMarks(view);
  }

  /** The visible part of the call: the last seconds while it runs, all of it afterwards. */
  #view(width) {
    const spanMs = (width / PX_PER_SECOND) * 1000;
    const live = this.#endMs === null;
    const nowMs = live ? this.#nowMs() : this.#endMs;
    const toMs = live ? Math.max(nowMs, spanMs) : Math.max(nowMs, spanMs / 2);
    const fromMs = live ? toMs - spanMs : 0;
    const x = (atMs) => ((atMs - fromMs) / (toMs - fromMs)) * width;
    return { width, fromMs, toMs, nowMs, x };
  }

  #paintAxis({ width, fromMs, toMs, x }) {
    const context = this.#context;
    context.font = this.#palette.font;
    context.textAlign = "center";
    context.fillStyle = this.#palette.muted;
    context.strokeStyle = this.#palette.line;
    context.lineWidth = 1;
    const step =
      [1, 2, 5, 10, 15, 30, 60, 120, 300, 600].find((s) => (s * 1000 * width) / (toMs - fromMs) >= 52) ?? 600;
    for (let s = Math.ceil(fromMs / 1000 / step) * step; s * 1000 <= toMs; s += step) {
      const at = Math.round(x(s * 1000)) + 0.5;
      context.beginPath();
      context.moveTo(at, LANE.caller[0]);
      context.lineTo(at, LANE.assistant[1]);
      context.stroke();
      if (at > 16 && at < width - 16) context.fillText(clock(s), at, AXIS_Y);
    }
  }

  #paintSpeech({ x, nowMs }, [top, bottom], spans, colour) {
    const context = this.#context;
    context.globalAlpha = 0.1;
    context.fillStyle = colour;
    for (const { fromMs, toMs } of spans) {
      const left = x(fromMs);
      context.beginPath();
      context.roundRect(left, top, Math.max(2, x(toMs ?? nowMs) - left), bottom - top, 6);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  #paintBars({ width, fromMs, toMs, x }, [top, bottom], curve, colour) {
    const context = this.#context;
    const middle = (top + bottom) / 2;
    const barMs = ((toMs - fromMs) / width) * (BAR_PX + GAP_PX);
    // Bars are on a grid of the call's time, so that they move without flickering.
    for (let at = Math.floor(fromMs / barMs) * barMs; at < toMs; at += barMs) {
      const height = loudness(curve.peak(at, at + barMs)) * (bottom - top - 6);
      if (height < 1) continue;
      context.fillStyle = colour;
      context.beginPath();
      context.roundRect(x(at) + GAP_PX / 2, middle - height / 2, BAR_PX, Math.max(BAR_PX, height), BAR_PX / 2);
      context.fill();
    }
  }

  #paintVoice({ width, fromMs, toMs, nowMs, x }) {
    const context = this.#context;
    const [top, bottom] = LANE.voice;
    context.strokeStyle = this.#palette.line;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(0, bottom + 0.5);
    context.lineTo(width, bottom + 0.5);
    context.stroke();
    const stepMs = Math.max(32, ((toMs - fromMs) / width) * 2);
    const end = Math.min(nowMs, toMs);
    const path = new Path2D();
    for (let at = Math.floor(fromMs / stepMs) * stepMs; at <= end; at += stepMs) {
      path.lineTo(x(at), bottom - this.#track.voice.peak(at, at + stepMs) * (bottom - top));
    }
    context.strokeStyle = this.#palette.caller;
    context.lineWidth = 1.5;
    context.lineJoin = "round";
    context.stroke(path);
    path.lineTo(x(end), bottom);
    path.lineTo(x(fromMs), bottom);
    context.fillStyle = this.#palette.caller;
    context.globalAlpha = 0.12;
    context.fill(path);
    context.globalAlpha = 1;
  }

  #paintCuts({ x }) {
    const context = this.#context;
    for (const { onsetMs, silentMs } of this.#track.cuts) {
      const right = x(silentMs);
      if (onsetMs !== null) {
        context.fillStyle = this.#palette.cut;
        context.globalAlpha = 0.2;
        context.fillRect(x(onsetMs), LANE.caller[0], right - x(onsetMs), LANE.assistant[1] - LANE.caller[0]);
        context.globalAlpha = 1;
      }
      context.strokeStyle = this.#palette.cut;
      context.lineWidth = 2;
      context.beginPath();
      context.moveTo(right, LANE.caller[0]);
      context.lineTo(right, LANE.assistant[1]);
      context.stroke();
    }
  }

  #paintRemarks({ x }) {
    const context = this.#context;
    context.strokeStyle = this.#palette.quiet;
    context.lineWidth = 1.5;
    for (const { atMs } of this.#track.remarks) {
      context.beginPath();
      context.arc(x(atMs), LANE.voice[0], 3, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  /** The figures are elements: sharp, selectable, and available to screen readers. */
  #placeMarks({ width, x }) {
    for (const cut of this.#track.cuts) {
      if (!this.#marked.has(cut)) this.#marked.set(cut, this.#marks.appendChild(markOf(cut)));
    }
    for (const remark of this.#track.remarks) {
      if (!this.#marked.has(remark)) this.#marked.set(remark, this.#marks.appendChild(remarkOf(remark)));
    }
    for (const [what, mark] of this.#marked) {
      const at = x(what.silentMs ?? what.atMs);
      mark.hidden = at < 0 || at > width;
      mark.style.left = `${Math.max(30, Math.min(width - 30, at))}px`;
    }
  }
}

function markOf({ tookMs }) {
  const mark = element("li", "mark", tookMs === null ? "cut" : `${tookMs} ms`);
  if (tookMs !== null) mark.dataset.tookMs = String(tookMs);
  mark.title = tookMs === null ? "Interrupted" : `Interrupted: ${tookMs} ms from your first sound to silence`;
  return mark;
}

function remarkOf({ what, why }) {
  const mark = element("li", "remark");
  mark.title = `${what}: ${why}`;
  mark.append(element("span", "visually-hidden", mark.title));
  return mark;
}

/** @param {number} seconds @returns {string} minutes and seconds */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
