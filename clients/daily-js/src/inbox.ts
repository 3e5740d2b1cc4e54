/** What the server has sent, until there is somebody to hear it. */

const MOST = 1000;

/**
 * Keeps deliveries, in order, until it is opened.
 *
 * Vapi's SDK listens to messages only after `join()` has returned, and the server speaks as soon as it is joined.
 */
export class Inbox {
  #waiting: (() => void)[] = [];
  #state: "shut" | "opening" | "open" | "closed" = "shut";

  /** Deliver now, or once it is opened. */
  add(deliver: () => void): void {
    if (this.#state === "closed") return;
    if (this.#state === "open") {
      deliver();
      return;
    }
    this.#waiting.push(deliver);
    if (this.#waiting.length > MOST) this.#waiting.shift();
  }

  /** Deliver from the next task on, when whoever has just begun to listen is through with what it was doing. */
  open(): void {
    if (this.#state !== "shut") return;
    this.#state = "opening";
    setTimeout(() => {
      for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) next();
      if (this.#state === "opening") this.#state = "open";
    });
  }

  /** Drop what waits, and deliver no more. */
  close(): void {
    this.#state = "closed";
    this.#waiting = [];
  }
}
