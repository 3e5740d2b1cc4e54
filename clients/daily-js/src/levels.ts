/** How loud something is, told now and then. */

const DEFAULT_INTERVAL_MS = 200;
const SHORTEST_INTERVAL_MS = 20;

/**
 * Measures a level over an interval and tells it at its end.
 *
 * The intervals are counted in audio, not by a timer: browsers slow down the timers of a tab in the background.
 */
export class LevelObserver {
  /** Of the last interval: root mean square, 0 to 1; 0 while it does not run. */
  level = 0;
  #tell: (level: number) => void;
  #intervalMs: number | null = null;
  #power = 0;
  #ms = 0;

  constructor(tell: (level: number) => void) {
    this.#tell = tell;
  }

  get running(): boolean {
    return this.#intervalMs !== null;
  }

  start(intervalMs = DEFAULT_INTERVAL_MS): void {
    this.#intervalMs = Math.max(SHORTEST_INTERVAL_MS, intervalMs);
    this.#power = this.#ms = 0;
  }

  stop(): void {
    this.#intervalMs = null;
    this.level = 0;
  }

  /** Take a stretch of audio: its root mean square, and how long it is. */
  push(rms: number, ms: number): void {
    if (this.#intervalMs === null) return;
    this.#power += rms * rms * ms;
    this.#ms += ms;
    if (this.#ms < this.#intervalMs) return;
    this.level = Math.sqrt(this.#power / this.#ms);
    this.#power = this.#ms = 0;
    this.#tell(this.level);
  }
}
