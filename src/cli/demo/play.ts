import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { formatShare } from "../humanize.ts";
import type { Output } from "../terminal/output.ts";
import type { Child, ChildEvent } from "./child.ts";
import type { Stage } from "./stage.ts";

/** What a demo is played with. */
export interface Play {
  readonly folder: string;
  readonly file: string;
  readonly size: number;
  readonly loss: number;
  readonly seed: number;
}

/** What came of one act. */
export interface Outcome {
  /** How often a process was killed and started again. */
  readonly restarts: number;
  /** SHA-256 of what was received, in hexadecimal. */
  readonly received: string;
}

/** Stands for an event that did not come. */
export const NOTHING: ChildEvent = { event: "nothing" };

/**
 * Has the receiver receive, kills it half-way if that is seen, and starts it again.
 *
 * @returns how often
 */
export async function killHalfWay(
  stage: Stage,
  bob: { size: number; receive: readonly string[]; ticket: string; bar: Bar },
): Promise<number> {
  const { size, bar } = bob;
  const startBob = (): Child => {
    const child = stage.start("bob", bob.receive, bob.ticket);
    bar.follow("bob", "saved", child);
    return child;
  };
  stage.say("bob$   culvert receive");
  const first = startBob();
  const half = await first.hears((event) => savedBytes(event) >= size / 2);
  if (half === undefined) return 0; // so small a file is there before anyone can look
  await first.kill("SIGKILL");
  stage.say(`bob is killed (kill -9) with ${shareSaved(half, size)} on his disk`);
  const second = startBob();
  stage.say("bob$   culvert receive                 the same command again");
  const next = await second.hears((event) => savedBytes(event) > 0);
  if (next !== undefined) stage.say(wordsOfReturn(savedBytes(half), savedBytes(next), size));
  await second.succeeds();
  return 1;
}

/** Where a killed receiver goes on: what its journal did not know yet comes once more. */
export function wordsOfReturn(savedBefore: number, savedNow: number, size: number): string {
  const words = `bob goes on at ${formatShare(savedNow, size)}`;
  return savedNow < savedBefore ? `${words}: the rest was not in his journal yet` : words;
}

/** One line, on a terminal, about how far both of them are. */
export class Bar {
  readonly #output: Output;
  readonly #shares = new Map<string, string>();

  constructor(output: Output) {
    this.#output = output;
  }

  /** Shows the step `step` of what a process tells from now on, under `name`. */
  follow(name: string, step: string, child: Child): void {
    child.listen((event) => {
      const { event: kind, [step]: bytes, totalBytes } = event;
      if (kind !== "progress" || typeof bytes !== "number" || typeof totalBytes !== "number")
        return;
      this.#shares.set(name, `${name}: ${step} ${formatShare(bytes, totalBytes)}`);
      this.#output.status(`         ${[...this.#shares.values()].join("   ")}`);
    });
  }
}

/** SHA-256 of a file, in hexadecimal. */
export async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

function savedBytes({ event, saved }: ChildEvent): number {
  return event === "progress" && typeof saved === "number" ? saved : 0;
}

function shareSaved(event: ChildEvent, size: number): string {
  return formatShare(savedBytes(event), size);
}
