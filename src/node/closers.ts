interface Closer {
  readonly close: () => Promise<void> | void;
  readonly isGone: () => boolean;
}

/** What has to be closed, the last opened first. */
export class Closers {
  #closers: Closer[] = [];
  #isRun = false;

  /** Whether all was closed, or is being closed: nothing is to be begun any more. */
  get isRun(): boolean {
    return this.#isRun;
  }

  /** What is still to be closed; of what was added weakly, some may be gone. */
  get size(): number {
    return this.#closers.length;
  }

  add(close: () => Promise<void> | void): void {
    this.#closers.push({ close, isGone: () => false });
  }

  /** Closes it in its turn if anybody can use it until then; it is not kept for that. */
  addWeakly(it: { close(): Promise<void> | void }): void {
    const held = new WeakRef(it);
    // Whoever adds one after the other must not be left with a list of those that are gone.
    this.#closers = this.#closers.filter(({ isGone }) => !isGone());
    this.#closers.push({
      close: () => held.deref()?.close(),
      isGone: () => held.deref() === undefined,
    });
  }

  /** How whoever gets what was opened closes all of it, once: by name, or at the end of a scope. */
  handle(): { close(): Promise<void> } & AsyncDisposable {
    let closing: Promise<void> | undefined;
    const close = (): Promise<void> => {
      closing ??= this.run();
      return closing;
    };
    return { close, [Symbol.asyncDispose]: close };
  }

  /** Closes everything, also when one of them fails; the first failure is thrown in the end. */
  async run(): Promise<void> {
    this.#isRun = true;
    const failures: unknown[] = [];
    for (let last = this.#closers.pop(); last !== undefined; last = this.#closers.pop()) {
      try {
        await last.close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
