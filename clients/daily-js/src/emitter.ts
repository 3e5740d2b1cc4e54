/** Events by name, in the order of their listeners. */

type Listener = (event: never) => void;

/** A listener that throws is reported to the page and keeps no other from being told. */
export class Emitter<Events extends object> {
  #listeners = new Map<string, { listener: Listener; once: boolean }[]>();

  on<Name extends keyof Events & string>(name: Name, listener: (event: Events[Name]) => void): this;
  /** Names of Daily's that this package never sends are taken too. */
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

  /** How many listen. */
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

  /** Tell nobody any more. */
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
