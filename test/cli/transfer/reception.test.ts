import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CulvertError } from "../../../src/base/index.ts";
import type { Context } from "../../../src/cli/context.ts";
import { type Session, SessionStore, sessionId } from "../../../src/cli/session/session.ts";
import { forgetCopies } from "../../../src/cli/transfer/forget-copies.ts";
import { encodeHeader, type FileEntry, makeManifest } from "../../../src/cli/transfer/manifest.ts";
import { Reception } from "../../../src/cli/transfer/reception.ts";
import type { Stream } from "../../../src/stream/index.ts";
import { FakeScreen, outputOn } from "../screen.ts";

let root: string;
let session: Session;
const clock = { now: () => 0, unixMs: () => 1_700_000_000_000, schedule: () => () => {} };
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "culvert-reception-"));
  const [secret, target] = [new Uint8Array(32).fill(1), join(root, "to")];
  const store = new SessionStore(join(root, "state"), clock);
  const begun = { command: "receive", title: "a", map: "m", target } as const;
  const file = { kind: "file", path: "a", size: 5, mode: 0o644, mtimeMs: 0 } as const;
  const header = encodeHeader(makeManifest([file]));
  session = await store.create(sessionId("receive", secret), begun, header);
  const staged = join(target, `.culvert-${session.id}`);
  await mkdir(staged, { recursive: true });
  await writeFile(join(staged, "0"), "hello");
  await session.save({ phase: "verified", overwrite: false });
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** A stream all of whose bytes were confirmed before. */
class Over extends Duplex {
  readonly readOffset = 9;
  confirm(): void {}
  resetCode: number | undefined;
  progress = () => ({ isAllTold: true });
  reset(code: number): void {
    this.resetCode = code;
  }
  override _read(): void {
    this.push(null);
  }
  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done();
  }
}

async function goOn(isForced: boolean) {
  const output = outputOn(new FakeScreen(false), false);
  const { signal: stop } = new AbortController();
  const context = { clock, output, stop, umask: 0o022 } as unknown as Context;
  const reception = new Reception({ context, session, target: join(root, "to"), isForced });
  const stream = new Over();
  await reception.run(stream as unknown as Stream);
  return { stream, reception };
}

test("a name that was taken meanwhile is not replaced, unless that is asked for", async () => {
  const name = join(root, "to/a");
  await writeFile(name, "mine");
  await expect(goOn(false)).rejects.toThrow("is there already");
  expect(await readFile(name, "utf8")).toBe("mine");
  await goOn(true);
  expect(await readFile(name, "utf8")).toBe("hello");
  expect(await readdir(join(root, "to"))).toEqual(["a"]);
  expect(session.record.phase).toBe("placed");
});

test("a refusal that an earlier run was killed in is told again", async () => {
  await session.save({ phase: "refused", refusal: 2 });
  const { stream, reception } = await goOn(false);
  expect([stream.resetCode, reception.goodbye]).toEqual([2, "told"]);
});

test("nothing is placed when another one turns out to have had the ticket", async () => {
  const file = { kind: "file", path: "a", size: 5, mode: 0o644, mtimeMs: 0 } as const;
  const bytes = Buffer.concat([encodeHeader(makeManifest([file])), Buffer.from("hello")]);
  const digest = createHash("sha256").update(bytes).digest();
  const stream = new Over();
  Object.assign(stream, {
    readOffset: 0,
    _read: () => stream.push(Buffer.concat([bytes, digest])),
    // The first word of this receiver meets that of the other one.
    progress: () => {
      stream.destroy(new CulvertError("CULVERT_SECRET_USED"));
      return { isAllTold: false };
    },
  });
  stream.on("error", () => {});
  await session.save({ phase: "open" });
  await rm(session.headerPath, { force: true });
  const context = { clock, stop: new AbortController().signal, umask: 0o022 } as unknown as Context;
  const reception = new Reception({ context, session, target: join(root, "to"), isForced: false });
  const received = reception.run(stream as unknown as Stream);
  await expect(received).rejects.toMatchObject({ code: "CULVERT_SECRET_USED" });
  expect([session.record.phase, existsSync(join(root, "to/a"))]).toEqual(["open", false]);
});

test.each([
  ["a name outside that something has", "../there"],
  ["one that nothing has", "../nowhere"],
])("what the sender is told tells nothing of this disk: %s", async (_what, path) => {
  await writeFile(join(root, "there"), "mine");
  const file = { kind: "file", path, size: 5, mode: 0o644, mtimeMs: 0 } as const;
  const told: unknown[] = [];
  const stream = new Over();
  stream.on("error", () => {});
  Object.assign(stream, {
    readOffset: 0,
    _read: () => stream.push(encodeHeader(makeManifest([file]))),
    write: (chunk: unknown) => told.push(chunk),
    reset: (code: number) => {
      told.push({ code });
      stream.destroy();
    },
  });
  await session.save({ phase: "open" });
  await rm(session.headerPath, { force: true });
  const output = outputOn(new FakeScreen(false), false);
  const { signal: stop } = new AbortController();
  const context = { clock, output, stop, umask: 0o022 } as unknown as Context;
  const reception = new Reception({ context, session, target: join(root, "to"), isForced: false });
  await expect(reception.run(stream as unknown as Stream)).rejects.toThrow("points elsewhere");
  expect([told, session.record.phase]).toEqual([[{ code: 1 }], "refused"]);
});

/** A transfer of which nothing has come before, received up to its first error. */
async function begun(file: FileEntry): Promise<{ anew: Session; at: string; failed: unknown }> {
  const store = new SessionStore(join(root, "state"), clock);
  const known = { command: "receive", title: "(not known yet)", map: "m" } as const;
  const anew = await store.create(sessionId("receive", new Uint8Array(32).fill(2)), known);
  const target = join(root, "to");
  const at = join(target, `.culvert-${anew.id}`);
  const stream = new Over();
  stream.on("error", () => {});
  Object.assign(stream, {
    readOffset: 0,
    _read: () => stream.push(encodeHeader(makeManifest([file]))),
  });
  const output = outputOn(new FakeScreen(false), false);
  const { signal: stop } = new AbortController();
  const context = { clock, output, stop, umask: 0o022 } as unknown as Context;
  const reception = new Reception({ context, session: anew, target, isForced: false });
  const failed = await reception.run(stream as unknown as Stream).catch((error: unknown) => error);
  return { anew, at, failed };
}

test("whoever forgets what was killed as it began finds what it had made", async () => {
  const file = { kind: "file", path: "b", size: 0, mode: 0o644, mtimeMs: 0 } as const;
  const id = sessionId("receive", new Uint8Array(32).fill(2));
  // An earlier run has left something; this one gets no further: a folder is where its file goes.
  await mkdir(join(root, "to", `.culvert-${id}`, "0"), { recursive: true });
  const { anew, failed } = await begun(file);
  expect([failed, anew.record.target]).toMatchObject([{ code: "EISDIR" }, join(root, "to")]);
  await new SessionStore(join(root, "state"), clock).forget(id);
  expect(await readdir(join(root, "to"))).toEqual([`.culvert-${session.id}`]);
});

test("what has left nothing in its target may go into another one", async () => {
  const file = { kind: "file", path: "b", size: 2 ** 52, mode: 0o644, mtimeMs: 0 } as const;
  const { anew, at, failed } = await begun(file);
  expect([failed, existsSync(at)]).toMatchObject([{ code: "CULVERT_FILE" }, false]);
  expect(anew.record.target).toBeUndefined();
});

describe("what a run has copied to another file system when it was killed", () => {
  /** A folder that was there and has two copies by now: one that is ours, and one of another. */
  async function copied(): Promise<{ anew: Session; store: SessionStore; kept: string[] }> {
    const secret = new Uint8Array(32).fill(3);
    const store = new SessionStore(join(root, "state"), clock);
    const target = join(root, "to");
    const [mode, path] = [0o755, "d"];
    const file = { kind: "file", path: "d/f", size: 5, mode: 0o644, mtimeMs: 0 } as const;
    const lost = { ...file, path: "e/f" }; // whose folder is not there any more
    const folders = [
      { kind: "folder", path, mode } as const,
      { kind: "folder", path: "e", mode } as const,
    ];
    const header = encodeHeader(makeManifest([...folders, lost, file]));
    const begun = { command: "receive", title: "d", map: "m", target } as const;
    const anew = await store.create(sessionId("receive", secret), begun, header);
    await anew.save({ phase: "verified", overwrite: false });
    await mkdir(join(target, "d"));
    const kept = [`.culvert-${session.id}-3`, "f"];
    for (const name of [`.culvert-${anew.id}-3`, ...kept]) {
      await writeFile(join(target, "d", name), "hel");
    }
    return { anew, store, kept };
  }

  test("goes when that is forgotten", async () => {
    const { anew, store, kept } = await copied();
    await store.forget(anew.id, forgetCopies);
    expect(await readdir(join(root, "to/d"))).toEqual(kept);
  });

  test("goes when it is refused", async () => {
    const { anew, kept } = await copied();
    const output = outputOn(new FakeScreen(false), false);
    const { signal: stop } = new AbortController();
    const context = { clock, output, stop, umask: 0o022 } as unknown as Context;
    const options = { context, session: anew, target: join(root, "to"), isForced: false };
    await new Reception({ ...options, isDeclined: true }).run(new Over() as unknown as Stream);
    expect(await readdir(join(root, "to/d"))).toEqual(kept);
  });

  test("is not looked for behind a link, nor in a target that is gone", async () => {
    const { anew, store } = await copied();
    await rename(join(root, "to/d"), join(root, "outside"));
    await symlink(join(root, "outside"), join(root, "to/d"));
    const at = join(root, "outside", `.culvert-${anew.id}-3`);
    await forgetCopies(anew);
    expect(existsSync(at)).toBe(true);
    await rm(join(root, "to"), { recursive: true });
    await store.forget(anew.id, forgetCopies);
    expect(await store.find(anew.id)).toBeUndefined();
  });
});
