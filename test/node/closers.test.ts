import { expect, it } from "vitest";
import { Closers } from "../../src/node/closers.ts";
import { collectGarbage } from "../collect-garbage.ts";

class Thing {
  readonly #closed: string[];
  readonly #name: string;

  constructor(closed: string[], name: string) {
    this.#closed = closed;
    this.#name = name;
  }

  close(): void {
    this.#closed.push(this.#name);
  }
}

it("closes in turn, also what it does not keep, and goes on after a failure", async () => {
  const closers = new Closers();
  const closed: string[] = [];
  const second = new Thing(closed, "second");
  closers.add(() => new Thing(closed, "first").close());
  closers.addWeakly(second);
  closers.add(() => {
    throw new Error("third");
  });
  await expect(closers.run()).rejects.toThrow("third");
  expect(closed).toEqual(["second", "first"]);
});

it("does not keep what nobody can use any more", async () => {
  const closers = new Closers();
  const closed: string[] = [];
  const begin = (): WeakRef<Thing> => {
    const thing = new Thing(closed, "gone");
    closers.addWeakly(thing);
    return new WeakRef(thing);
  };
  const held = begin();
  await collectGarbage();
  expect(held.deref()).toBeUndefined();
  const next = new Thing(closed, "next");
  closers.addWeakly(next);
  expect(closers.size).toBe(1);
  await closers.run();
  expect(closed).toEqual(["next"]);
});
