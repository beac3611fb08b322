import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isCulvertError } from "../../../src/base/index.ts";
import { SessionStore, sessionId } from "../../../src/cli/session/session.ts";
import {
  decodeRecord,
  encodeRecord,
  type SessionRecord,
} from "../../../src/cli/session/session-record.ts";
import { encodeCbor } from "../../../src/codec/index.ts";

let folder: string;
let nowUnixMs = 1_700_000_000_000;
const clock = { now: () => 0, unixMs: () => nowUnixMs, schedule: () => () => {} };
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "culvert-session-")), "sessions");
});
afterEach(() => rm(join(folder, ".."), { recursive: true, force: true }));

const secret = new Uint8Array(32).fill(5);
const begun = { command: "send", title: "photos", map: "unix:/m", secret, paths: ["/p"] } as const;
const id = sessionId("send", secret);

const full: SessionRecord = {
  ...begun,
  phase: "verified",
  target: "/t",
  overwrite: true,
  startedUnixMs: 1,
  updatedUnixMs: 2,
  totalBytes: 2 ** 40,
  doneBytes: 3,
  checkpoint: { length: 4, digest: new Uint8Array(32).fill(6) },
};

describe("a folder of work", () => {
  const told = { code: "CULVERT_FILE", hint: expect.stringContaining("XDG_STATE_HOME") };

  test("that cannot be read is not one without any", async () => {
    const store = new SessionStore(folder, clock);
    expect(await store.list()).toEqual([]);
    await writeFile(folder, "a file in its place");
    await expect(store.list()).rejects.toMatchObject(told);
  });

  test("that cannot be made is named, with what to do about it", async () => {
    const store = new SessionStore(folder, clock);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, id), "a file in the place of its own");
    const refused = { ...told, message: expect.stringContaining(join(folder, id)) };
    await expect(store.create(id, begun)).rejects.toMatchObject(refused);
  });
});

describe("the record of a piece of work", () => {
  test("is written once for all changes that come while it is written", async () => {
    const session = await new SessionStore(folder, clock).create(id, begun);
    let saved = 0;
    const saves = Array.from({ length: 200 }, async (_, doneBytes) => {
      await session.save({ doneBytes });
      saved += 1;
    });
    await saves[1];
    await new Promise(setImmediate);
    expect(saved).toBe(saves.length);
    expect((await new SessionStore(folder, clock).find(id))?.record.doneBytes).toBe(199);
  });

  test("comes back as it was, with and without what is optional", () => {
    const { secret: _s, paths: _p, target: _t, totalBytes: _b, checkpoint: _c, ...few } = full;
    for (const record of [full, few]) expect(decodeRecord(encodeRecord(record))).toEqual(record);
  });

  test("that is damaged in any byte, truncated or from the future is a typed error", () => {
    const bytes = encodeRecord(full);
    const check = (damaged: Uint8Array) => {
      try {
        decodeRecord(damaged);
      } catch (error) {
        expect(isCulvertError(error, "CULVERT_BAD_STATE")).toBe(true);
      }
    };
    for (let length = 0; length < bytes.length; length++) check(bytes.slice(0, length));
    const place = fc.nat({ max: bytes.length - 1 });
    fc.assert(fc.property(place, fc.nat({ max: 255 }), (at, byte) => check(bytes.with(at, byte))));
    expect(() => decodeRecord(encodeCbor({ version: 2 }))).toThrow("from a later Culvert");
  });
});

describe("sessions on disk", () => {
  test("that cannot be read stand in the way of no other", async () => {
    const store = new SessionStore(folder, clock);
    await store.create(id, begun);
    const other = sessionId("send", new Uint8Array(32));
    // A folder where the record should be: no system reads that, not even for root.
    await mkdir(join(folder, other, "session"), { recursive: true });
    const damaged: string[] = [];
    const list = await store.list((name, { code }) => damaged.push(`${name} ${code}`));
    expect(list.map((session) => session.id)).toEqual([id]);
    expect(damaged).toEqual([`${other} CULVERT_BAD_STATE`]);
    expect(await store.forget(other)).toBe(true);
  });

  test("are found again, by anyone who has the secret, and belong to their owner", async () => {
    const store = new SessionStore(folder, clock);
    const session = await store.create(id, begun);
    await session.save({ doneBytes: 7 });
    const found = await new SessionStore(folder, clock).find(id);
    expect(found?.record).toMatchObject({ ...begun, phase: "open", doneBytes: 7 });
    expect((await stat(session.folder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(session.folder, "session"))).mode & 0o777).toBe(0o600);
    expect(sessionId("receive", secret)).not.toBe(id);
    expect(await store.find("../../etc")).toBeUndefined();
  });

  test("go on over the Map that they were begun over, and over no other", async () => {
    const store = new SessionStore(folder, clock);
    const session = await store.create(id, begun);
    expect((await store.resume(id, { name: "unix:/m" }))?.id).toBe(id);
    expect(await store.resume("0".repeat(12), { name: "unix:/m" })).toBeUndefined();
    await expect(store.resume(id, { name: "network" })).rejects.toMatchObject({
      code: "CULVERT_USAGE",
      message: expect.stringContaining("--map unix:/m"),
      hint: expect.stringContaining(`--forget ${id}`),
    });
    // What is over is told so, whatever is named.
    await session.finish();
    expect((await store.resume(id, { name: "network" }))?.record.phase).toBe("done");
  });

  test("overlapping saves leave the last one", async () => {
    const session = await new SessionStore(folder, clock).create(id, begun);
    await Promise.all([1, 2, 3].map((bytes) => session.save({ doneBytes: bytes })));
    const found = await new SessionStore(folder, clock).find(id);
    expect(found?.record.doneBytes).toBe(3);
    expect(await readdir(session.folder)).toEqual(["session"]);
  });

  test("are saved again where that was not possible before", async () => {
    const session = await new SessionStore(folder, clock).create(id, begun);
    await rm(session.folder, { recursive: true });
    await expect(session.save({ doneBytes: 1 })).rejects.toMatchObject({
      code: "CULVERT_FILE",
      message: expect.stringContaining(session.folder),
      hint: expect.stringContaining("disk full"),
    });
    await mkdir(session.folder);
    await session.save({ doneBytes: 2 });
    expect((await new SessionStore(folder, clock).find(id))?.record.doneBytes).toBe(2);
  });

  test("of very many files that were named one by one are found again", async () => {
    const store = new SessionStore(folder, clock);
    const paths = Array.from({ length: 20_000 }, (_, i) => `/${"folder/".repeat(12)}${i}`);
    await store.create(id, { ...begun, paths });
    expect((await store.find(id))?.record.paths).toEqual(paths);
  });

  test("are forgotten with the files that had not come to their names", async () => {
    const target = join(folder, "..", "target");
    const store = new SessionStore(folder, clock);
    const session = await store.create(id, { ...begun, command: "receive", target });
    await mkdir(join(target, `.culvert-${id}`), { recursive: true });
    // What a run that was killed had made to see whose its folder is; and not for this.
    await mkdir(join(target, `.culvert-${id}-Xy12Zz`));
    await mkdir(join(target, ".culvert-000000000000-Xy12Zz"));
    await writeFile(join(target, "mine"), "");
    const journal = await session.journals.open("x");
    await journal.close();
    // A journal that is damaged, too.
    await writeFile(join(session.folder, "journal", "CURRENT"), "nonsense");
    expect(await store.forget(id)).toBe(true);
    expect((await readdir(target)).sort()).toEqual([".culvert-000000000000-Xy12Zz", "mine"]);
    expect(await readdir(folder)).toEqual([]);
  });

  test.each(["done", "refused"] as const)(
    "once %s keep no secrets, and are forgotten in time",
    async (phase) => {
      const store = new SessionStore(folder, clock);
      const session = await store.create(id, begun);
      await (await session.journals.open("x")).close();
      await session.finish(phase);
      expect(await readdir(session.folder)).toEqual(["session"]);
      const { record } = (await store.find(id)) ?? {};
      expect([record?.phase, record?.secret]).toEqual([phase, undefined]);
      nowUnixMs += 31 * 24 * 3600 * 1000;
      await store.create(sessionId("pipe", secret), { ...begun, command: "pipe" });
      expect((await store.list()).map(({ record }) => record.command)).toEqual(["pipe"]);
    },
  );

  test("whose sender never came back are forgotten, unless a process is at work", async () => {
    const store = new SessionStore(folder, clock);
    const placed = await store.create(id, { ...begun, command: "receive" });
    await placed.save({ phase: "placed" });
    nowUnixMs += 31 * 24 * 3600 * 1000;
    const journal = await placed.journals.open("x");
    const names = async (): Promise<string[]> =>
      (await store.list()).map(({ record }) => record.command);
    await store.create(sessionId("pipe", secret), { ...begun, command: "pipe" });
    expect(await names()).toContain("receive");
    await journal.close();
    await store.create(sessionId("forward", secret), { ...begun, command: "forward" });
    expect(new Set(await names())).toEqual(new Set(["pipe", "forward"]));
  });

  test("are not taken away from a process that is at work", async () => {
    const store = new SessionStore(folder, clock);
    const session = await store.create(id, begun);
    const journal = await session.journals.open("x");
    await expect(store.forget(id)).rejects.toMatchObject({ code: "CULVERT_STATE_IN_USE" });
    await journal.close();
    expect(await store.forget(id)).toBe(true);
    expect(await store.forget(id)).toBe(false);
    expect(await readdir(folder)).toEqual([]);
  });

  test("that are damaged are named, and do not hide the others", async () => {
    const store = new SessionStore(folder, clock);
    await store.create(id, begun);
    const other = await store.create(sessionId("pipe", secret), { ...begun, command: "pipe" });
    const path = join(other.folder, "session");
    const bytes = new Uint8Array(await readFile(path));
    for (let at = 0; at < bytes.length; at++) {
      await writeFile(path, bytes.with(at, (bytes[at] ?? 0) ^ (1 << (at % 8))));
      await expect(store.find(other.id)).rejects.toMatchObject({
        code: "CULVERT_BAD_STATE",
        message: expect.stringContaining(path),
        hint: expect.stringContaining(`--forget ${other.id}`),
      });
    }
    const damaged: string[] = [];
    const sessions = await store.list((name) => damaged.push(name));
    expect(sessions.map((session) => session.id)).toEqual([id]);
    expect(damaged).toEqual([other.id]);
  });
});
