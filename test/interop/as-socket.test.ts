import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { type Duplex, finished, Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Stream } from "culvert";
import type { LinkStream } from "culvert/link";
import { pair } from "culvert/testing";
import { describe, expect, it } from "vitest";
import { uncaught } from "../link/uncaught.ts";
import { openOverLink } from "./ways.ts";

type End = Socket | Stream | LinkStream;
interface Ends {
  readonly a: End;
  readonly b: End;
  close(): Promise<void>;
}

/** What one end tells, in its order; `closed` when it has nothing more to tell. */
class Ear {
  readonly heard: unknown[] = [];
  readonly closed: Promise<void>;

  constructor(end: Duplex, names: readonly string[] = ["end", "finish", "error", "close"]) {
    for (const name of names) end.on(name, (what) => this.heard.push([name, codeOf(what)]));
    end.on("error", () => {});
    this.closed = new Promise((resolve) => end.once("close", () => resolve()));
  }
}

/** How a peer that has given up is told of differs, and is on the page. */
function codeOf(what: unknown): unknown {
  const code = what instanceof Error ? Object.assign({ code: undefined }, what).code : what;
  return code === "ECONNRESET" || code === "CULVERT_PEER_ABORTED" ? "gone" : code;
}

const MINE = Object.assign(new Error("of the layer above"), { code: "MINE" });

/**
 * What one end does, and what both tell of it. One that is destroyed, or written to, right after
 * its `end` is left out: a stream has finished by then, a socket has not.
 */
const SCENES: Readonly<Record<string, (ends: Ends) => Promise<unknown>>> = {
  "destroyed at once": left(({ a }) => a.destroy()),
  "destroyed with an error": left(({ a }) => a.destroy(MINE)),
  "destroyed twice": left(({ a }) => a.destroy().destroy(MINE)),
  "destroyed after a write": left(({ a }) => a.write("x") && a.destroy()),
  "destroyed in its write": left(({ a }) => a.write("x", () => a.destroy())),
  "destroyed when it has finished": left(({ a }) => a.end("x").once("finish", () => a.destroy())),
  "destroyed after its peer's end": left(({ a, b }) => {
    a.once("end", () => a.destroy());
    b.end();
  }),
  "destroyed when it is read": left(({ a, b }) => {
    a.once("data", () => a.destroy());
    b.write("x");
  }),
  "destroyed soon": left(({ a }) => a.write("x") && a.destroySoon()),
  "ended by both": left(({ a, b }) => [a.end("x"), b.end("y")]),
  "written to after destroy": left(({ a }) => a.destroy().write("x")),

  "answered when its side has ended": async ({ a, b }) => {
    const heard = textOf(a);
    b.on("data", () => {}).once("end", () => b.end("the answer"));
    a.end("the question");
    return [await heard, await closedOf(a, b)];
  },

  "ended by its peer's end without allowHalfOpen": async ({ a, b }) => {
    a.allowHalfOpen = false;
    a.resume();
    b.resume().end();
    return closedOf(a, b);
  },

  "idle, and then not": async ({ a, b }) => {
    const heard: unknown[] = [];
    a.setTimeout(20, () => heard.push("listener")).on("timeout", () => heard.push(a.timeout));
    await once(a, "timeout");
    // Once until bytes move again.
    b.write("x");
    await once(a.resume(), "timeout");
    a.setTimeout(0).end();
    b.resume().end();
    return [heard, a.timeout, await closedOf(a, b)];
  },

  "a pipeline's sink": async ({ a, b }) => {
    const heard = textOf(b);
    await pipeline(Readable.from(["o", "n", "e"]), a, { end: true });
    b.end();
    a.resume();
    return [await heard, await closedOf(a, b)];
  },

  "a pipeline's sink whose source fails": async ({ a, b }) => {
    const ear = new Ear(a);
    const source = new Readable({ read: () => source.destroy(MINE) });
    const failed = await pipeline(source, a).catch(codeOf);
    await ear.closed;
    b.destroy();
    return [failed, ear.heard];
  },

  "a pipeline's source whose sink fails": async ({ a, b }) => {
    const ears = [new Ear(a), new Ear(b, ["close"])];
    const sink = new Writable({ write: (_chunk, _encoding, done) => done(MINE) });
    a.resume().once("end", () => a.end());
    a.write("x");
    const failed = await pipeline(b, sink).catch(codeOf);
    await Promise.all(ears.map(({ closed }) => closed));
    return [failed, ears.map(({ heard }) => heard)];
  },

  "a loop that reads to the end": async ({ a, b }) => {
    a.resume().end("one");
    const chunks: string[] = [];
    for await (const chunk of b) chunks.push(`${chunk}`);
    const wasDestroyed = b.destroyed;
    // Node 24.21 leaves it, as no other version does.
    if (!wasDestroyed) b.end();
    return [chunks, wasDestroyed, await closedOf(a, b)];
  },

  "a loop that is left": async ({ a, b }) => {
    a.resume().once("end", () => a.end());
    a.write("one");
    for await (const _chunk of b) break;
    return [b.destroyed, await closedOf(a, b)];
  },

  "a loop over what is destroyed": async ({ a, b }) => {
    a.resume().once("end", () => a.end());
    a.write("one");
    const chunks: string[] = [];
    try {
      for await (const chunk of b) {
        chunks.push(`${chunk}`);
        setImmediate(() => b.destroy(MINE));
      }
    } catch (error) {
      return [chunks, codeOf(error), await closedOf(a, b)];
    }
    return "no error";
  },

  "written faster than it is read": async ({ a, b }) => {
    let rounds = 0;
    while (a.write(Buffer.alloc(65_536))) rounds += 1;
    const full = [a.writableNeedDrain, rounds < 1_000];
    b.resume();
    await once(a, "drain");
    a.resume().end();
    b.end();
    return [full, a.writableLength, a.writableNeedDrain, await closedOf(a, b)];
  },

  "read by a listener that throws": async ({ a, b }) => {
    const thrown = uncaught();
    let text = "";
    const heard = new Promise((resolve) => {
      b.on("data", (chunk) => {
        text += chunk;
        if (text === "one") resolve(text);
        throw MINE;
      });
    });
    for (const piece of ["o", "n", "e"]) a.write(piece);
    await heard;
    a.resume().end();
    b.end();
    return [await closedOf(a, b), new Set(thrown)];
  },

  "read in pieces, with an encoding": async ({ a, b }) => {
    b.setEncoding("utf8");
    const heard = textOf(b);
    for (const byte of Buffer.from("zwölf Boxkämpfer €")) a.write(Uint8Array.of(byte));
    a.resume().end();
    b.end();
    return [await heard, await closedOf(a, b)];
  },
};

const WAYS: readonly (readonly [name: string, open: () => Promise<Ends>])[] = [
  ["over a lossy Map", () => pair({ rtt: 10, loss: 0.1, seed: 6, open: { endsAsSocket: true } })],
  ["of a link over TCP", () => overLink("tcp")],
  ["of a link over UDP", () => overLink("udp")],
];

/** A stream over a Map is not destroyed by whoever has read it to its end: it may write on. */
const ONLY_OF_LINKS = new Set(["a loop that reads to the end"]);

describe.each(WAYS)("a stream %s", (way, open) => {
  const scenes = Object.entries(SCENES).filter(
    ([name]) => way.startsWith("of a link") || !ONLY_OF_LINKS.has(name),
  );
  it.each(scenes)("tells what a socket tells: %s", async (_name, scene) => {
    const [expected, found] = [await played(sockets, scene), await played(open, scene)];
    expect(found).toEqual(expected);
  });
});

async function overLink(carrier: "tcp" | "udp"): Promise<Ends> {
  const { a, b, close } = await openOverLink(carrier);
  for (const end of [a, b]) end.endsAsSocket = true;
  return { a, b, close };
}

async function played(open: () => Promise<Ends>, scene: (typeof SCENES)[string]): Promise<unknown> {
  const ends = await open();
  for (const end of [ends.a, ends.b]) end.on("error", () => {});
  try {
    return await scene(ends);
  } finally {
    await ends.close();
  }
}

/** What both tell when one of them leaves, and its peer ends when it hears of that. */
function left(leave: (ends: Ends) => unknown): (ends: Ends) => Promise<unknown> {
  return async (ends) => {
    const { a, b } = ends;
    const ear = new Ear(a);
    const peer = new Ear(b, ["end", "error"]);
    const done = [a, b].map(
      (end) => new Promise((told) => finished(end, (it) => told(codeOf(it)))),
    );
    const text = textOf(b);
    a.resume();
    b.once("end", () => b.end());
    leave(ends);
    await ear.closed;
    const heard = [await text, ...(await Promise.all(done))];
    return [heard, ear.heard, peer.heard, a.readyState, a.bytesWritten, codeOf(a.errored)];
  };
}

function textOf(stream: Duplex): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    stream.on("data", (chunk) => {
      text += chunk;
    });
    stream.once("end", () => resolve(text)).once("close", () => resolve(text));
  });
}

async function closedOf(...ends: readonly End[]): Promise<unknown> {
  const waits = ends.map(async (end) => {
    if (!end.closed) await once(end, "close");
    return [end.readyState, codeOf(end.errored), end.readableEnded, end.writableFinished];
  });
  return await Promise.all(waits);
}

async function sockets(): Promise<Ends> {
  const server = createServer({ allowHalfOpen: true });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  const a = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  const [[b]] = await Promise.all([once(server, "connection"), once(a, "connect")]);
  const close = async (): Promise<void> => {
    for (const end of [a, b]) end.destroy();
    server.close();
  };
  return { a, b, close };
}
