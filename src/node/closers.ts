/** What has to be closed, the last opened first. */
export class Closers {
  readonly #closers: (() => Promise<void> | void)[] = [];

  add(close: () => Promise<void> | void): void {
    this.#closers.push(close);
  }

  /** Closes it in its turn if anybody can use it until then; it is not kept for that. */
  addWeakly(it: { close(): Promise<void> | void }): void {
    const held = new WeakRef(it);
    this.add(() => held.deref()?.close());
  }

  /** Closes everything, also when one of them fails; the first failure is thrown in the end. */
  async run(): Promise<void> {
    const failures: unknown[] = [];
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) {
      try {
        await close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
