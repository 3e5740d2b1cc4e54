/** Events by name, delivered in the order of their listeners. */

type Listener = (event: never) => void;

/** An error in a listener is reported to the page; the other listeners are still called. */
export class Emitter<Events extends object> {
  #listeners = new Map<string, { listener: Listener; once: boolean }[]>();

  on<Name extends keyof Events & string>(name: Name, listener: (event: Events[Name]) => void): this;
  /** Names of Daily's events that this package never sends are accepted. */
  on(name: string, listener: (event: any) => void): this;
  on(name: string, listener: Listener): this {
    return this.#add(name, listener, false);
  }

  once<Name extends keyof Events & string>(name: Name, listener: (event: Events[Name]) => void): this;
  once(name: string, listener: (event: any) => void): this;
  once(name: string, listener: Listener): this {
    return this.#add(name, listener, true);
  }

  off<Name extends keyof Events & string>(name: Name, listener: (event: Events[Name]) => void): this;
  off(name: string, listener: (event: any) => void): this;
  off(name: string, listener: Listener): this {
    const kept = this.#listeners.get(name)?.filter((entry) => entry.listener !== listener);
    if (kept) this.#listeners.set(name, kept);
    return this;
  }

  /** Number of listeners. */
  listenerCount(name: keyof Events & string): number {
    return this.#listeners.get(name)?.length ?? 0;
  }

  protected emit<Name extends keyof Events & string>(name: Name, event: Events[Name]): void {
    for (const entry of [...(this.#listeners.get(name) ?? [])]) {
      if (entry.once) this.off(name, entry.listener as (event: any) => void);
      try {
        entry.listener(event as never);
      } catch (error) {
        report(error);
      }
    }
  }

  /** Remove all listeners. */
  protected forget(): void {
    this.#listeners.clear();
  }

  #add(name: string, listener: Listener, once: boolean): this {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), { listener, once }]);
    return this;
  }
}

function report(error: unknown): void {
  if (typeof reportError === "function") reportError(error);
  else console.error(error);
}
