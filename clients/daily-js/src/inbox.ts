/** Messages of the server, kept until there is a listener. */

const MOST = 1000;

/**
 * Queues deliveries, in order, until it is opened.
 *
 * Vapi's SDK adds its listener only after `join()` has returned, but the server sends messages from the start.
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

  /** Deliver from the next task on, when the code that added the listener has finished. */
  open(): void {
    if (this.#state !== "shut") return;
    this.#state = "opening";
    setTimeout(() => {
      for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) next();
      if (this.#state === "opening") this.#state = "open";
    });
  }

  /** Drop the queue, and deliver nothing more. */
  close(): void {
    this.#state = "closed";
    this.#waiting = [];
  }
}
