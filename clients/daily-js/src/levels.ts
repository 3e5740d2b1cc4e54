/** Audio levels, reported at intervals. */

const DEFAULT_INTERVAL_MS = 200;
const SHORTEST_INTERVAL_MS = 20;

/**
 * Measures a level over an interval and reports it at the end.
 *
 * Intervals are measured in audio and not by a timer: browsers slow down the timers of background tabs.
 */
export class LevelObserver {
  /** Root mean square of the last interval, 0 to 1; 0 while it does not run. */
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

  /** Add a piece of audio: its root mean square and its length. */
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
