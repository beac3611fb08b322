import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SessionStore, sessionId } from "../../../src/cli/session/session.ts";
import { findUnfinished } from "../../../src/cli/transfer/unfinished.ts";

let folder: string;
let nowUnixMs = 1_700_000_000_000;
const clock = { now: () => 0, unixMs: () => nowUnixMs, schedule: () => () => {} };
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "culvert-unfinished-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const sent = (header: number) => {
  return { paths: ["/p"], header: Uint8Array.of(header), map: { name: "m" } };
};

/** Begins a transfer of what the files were; it is named by its number. */
async function begin(store: SessionStore, number: number, header: number): Promise<void> {
  nowUnixMs += 1_000;
  const secret = new Uint8Array(32).fill(number);
  const record = { command: "send", title: "p", map: "m", secret, paths: ["/p"] } as const;
  await store.create(sessionId("send", secret), record, Uint8Array.of(header));
}

describe("the same command again", () => {
  test("goes on with the last transfer of what the files are now", async () => {
    const store = new SessionStore(folder, clock);
    expect(await findUnfinished(store, sent(1))).toBeUndefined();
    await begin(store, 1, 1);
    await begin(store, 2, 2);
    await begin(store, 3, 2);
    expect((await findUnfinished(store, sent(1)))?.secret[0]).toBe(1);
    expect((await findUnfinished(store, sent(2)))?.secret[0]).toBe(3);
  });

  test("says that they have changed when they are as in no transfer", async () => {
    const store = new SessionStore(folder, clock);
    await begin(store, 1, 1);
    await expect(findUnfinished(store, sent(9))).rejects.toThrow("has changed");
    const others = { ...sent(9), paths: ["/q"] };
    expect(await findUnfinished(store, others)).toBeUndefined();
  });

  test("tells of records that cannot be read when one may be what it looks for", async () => {
    const store = new SessionStore(folder, clock);
    await begin(store, 1, 1);
    const id = sessionId("send", new Uint8Array(32).fill(1));
    await writeFile(join(folder, id, "session"), "damaged");
    const told: unknown[] = [];
    const tell = (name: string, { message }: Error): unknown => told.push([name, message]);
    expect(await findUnfinished(store, sent(1), tell)).toBeUndefined();
    expect(told).toEqual([[id, expect.stringContaining(join(folder, id, "session"))]]);
    await begin(store, 2, 1);
    expect((await findUnfinished(store, sent(1), tell))?.secret[0]).toBe(2);
    expect(told.length).toBe(1);
  });
});
