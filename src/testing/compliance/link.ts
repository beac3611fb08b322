import { assert, type CulvertError, equalBytes, isCulvertError } from "../../base/index.ts";
import type { DialTarget, Link, LinkHost, LinkStream, UpgradePath } from "../../link/index.ts";
import { Pattern } from "../world/pattern.ts";
import { collect } from "./collect.ts";
import {
  type Cases,
  expectFailure,
  type Fixture,
  type RegisterTest,
  registerCases,
} from "./suite.ts";

/** What the suite needs from the carrier under test: two hosts, with 8 streams at once each way. */
export interface LinkFixture extends Fixture {
  readonly a: LinkHost;
  readonly b: LinkHost;
  /** How `a` dials `b`, over the carrier under test only. */
  readonly target: DialTarget;
  /** The ed25519 key of `b`. */
  readonly keyOfB: Uint8Array;
  /** Cuts every connection between the two, and lets new ones be made. */
  cut(): void;
  /** Another way from `a` to `b`. */
  readonly otherWay: UpgradePath;
  /** Lets time pass until `promise` settles; on a real clock, the promise itself. */
  elapse<T>(promise: Promise<T>): Promise<T>;
}

/** The contract of links, for any carrier under them. */
export function linkCompliance(test: RegisterTest, setup: () => Promise<LinkFixture>): void {
  registerCases(test, setup, { ...LINK_CASES, ...STREAM_CASES, ...PATH_CASES });
}

const BULK_BYTES = 600_000;

const LINK_CASES: Cases<LinkFixture> = {
  "both ends learn who the other one is": async (fixture) => {
    const { a, b } = fixture;
    const { here, there } = await connect(fixture);
    assert(equalBytes(here.peer, b.id) && equalBytes(there.peer, a.id), "the ids are proved");
    assert(equalBytes(here.peerKey, fixture.keyOfB), "the key is that of the id");
    assert(here.isInitiator && !there.isInitiator, "one end has dialled");
    assert(a.find(b.id) === here && b.find(a.id) === there, "the hosts find their links");
  },

  "a peer whose key is known is reached as well": async (fixture) => {
    const { here } = await connect(fixture, { publicKey: fixture.keyOfB });
    assert(here.isOpen, "the link is open");
  },

  "whoever is not the one asked for is refused": async (fixture) => {
    const { a, target, elapse, keyOfB } = fixture;
    const stranger = new Uint8Array(32).fill(9);
    await expectFailure(elapse(a.dial({ ...target, id: stranger })), "CULVERT_WRONG_PEER");
    const lie = { ...target, id: stranger, publicKey: keyOfB };
    await expectFailure(elapse(a.dial(lie)), "CULVERT_WRONG_PEER");
    assert(a.links().length === 0, "no link is left");
  },

  "a node does not link to itself": async ({ b, target, elapse }) => {
    await expectFailure(elapse(b.dial({ ...target, id: b.id })), "CULVERT_WRONG_PEER");
  },

  "dialling twice gives one link": async (fixture) => {
    const { a, target, elapse } = fixture;
    const [first, second] = await elapse(Promise.all([a.dial(target), a.dial(target)]));
    assert(first === second && (await elapse(a.dial(target))) === first, "it is shared");
  },

  "a dial can be given up": async ({ a, target, elapse }) => {
    const abort = new AbortController();
    const dial = a.dial({ ...target, signal: abort.signal });
    abort.abort();
    await expectFailure(elapse(dial), "AbortError");
    await expectFailure(a.dial({ ...target, signal: abort.signal }), "AbortError");
  },

  "a datagram arrives, once": async (fixture) => {
    const { elapse } = fixture;
    const { here, there } = await connect(fixture);
    const got = new Promise<Uint8Array>((resolve) => there.onDatagram("d", resolve));
    assert(here.sendDatagram("d", Uint8Array.of(1, 2, 3)), "there is room for it");
    assert(equalBytes(await elapse(got), Uint8Array.of(1, 2, 3)), "it is whole");
    expectRangeError(() => here.sendDatagram("d", new Uint8Array(1_025)));
  },

  "a graceful close lets streams finish, a forced one does not": async (fixture) => {
    const { elapse } = fixture;
    const { here, there } = await connect(fixture);
    take(there, "echo", echoed);
    const stream = await elapse(open(here, "echo"));
    const closed = here.close({ graceful: true });
    stream.end("last words");
    assert((await elapse(text(stream))) === "last words", "what was under way arrives");
    await elapse(Promise.all([closed, here.close(), closedOf(there)]));
    await expectFailure(elapse(open(here, "echo")), "CULVERT_CLOSED");
    const again = await connect(fixture);
    take(again.there, "sink");
    const cut = await elapse(open(again.here, "sink"));
    const failed = failureOf(cut);
    await elapse(again.there.close());
    assert(isCulvertError(await elapse(failed), "CULVERT_CLOSED"), "the stream fails");
    await elapse(again.here.close());
  },
};

const STREAM_CASES: Cases<LinkFixture> = {
  "bytes arrive both ways, in order, and each end ends for itself": async (fixture) => {
    const { elapse } = fixture;
    const { here, there } = await connect(fixture);
    const [up, down] = [new Pattern(1), new Pattern(2)];
    const accepted = new Promise<LinkStream>((resolve) => take(there, "p", resolve));
    const mine = await elapse(open(here, "p"));
    mine.write(up.bytes(0, 1));
    const theirs = await elapse(accepted);
    mine.end(up.bytes(1, BULK_BYTES - 1));
    assert(isText(up, await elapse(collect(theirs)), BULK_BYTES), "upwards");
    theirs.end(down.bytes(0, BULK_BYTES));
    assert(isText(down, await elapse(collect(mine)), BULK_BYTES), "downwards, afterwards");
    await elapse(settled(() => here.streamCount + there.streamCount === 0, mine));
  },

  "streams do not mix": async (fixture) => {
    const { elapse } = fixture;
    const { here, there } = await connect(fixture);
    take(there, "echo", echoed);
    const ask = async (seed: number): Promise<boolean> => {
      const pattern = new Pattern(seed);
      const stream = await open(here, "echo");
      stream.end(pattern.bytes(0, 1_000 * seed));
      return isText(pattern, await collect(stream), 1_000 * seed);
    };
    const all = await elapse(Promise.all(Array.from({ length: 40 }, (_, at) => ask(at + 1))));
    assert(all.every(Boolean), "each one got its own bytes back");
  },

  "at the limit the opener waits, and may give up": async (fixture) => {
    const { elapse } = fixture;
    const { here, there } = await connect(fixture);
    take(there, "sink");
    const all = Array.from({ length: 8 }, () => open(here, "sink"));
    const [first] = await elapse(Promise.all(all));
    const abort = new AbortController();
    const givenUp = open(here, "sink", abort.signal);
    const waiting = open(here, "sink");
    abort.abort();
    await expectFailure(elapse(givenUp), "AbortError");
    first?.destroy();
    assert((await elapse(waiting)).writable, "a free place is given on");
  },

  "a reader that does not read stops its own writer only": async (fixture) => {
    const { elapse } = fixture;
    const { here, there } = await connect(fixture);
    take(there, "stuck");
    take(there, "echo", echoed);
    const stuck = await elapse(open(here, "stuck"));
    let written = 0;
    const writeOn = (): void => {
      const piece = new Uint8Array(16_384);
      for (let i = 0; i < 100 && stuck.write(piece); i++) written += piece.length;
    };
    stuck.on("drain", writeOn);
    writeOn();
    const echo = await elapse(open(here, "echo"));
    echo.end("quick");
    assert((await elapse(text(echo))) === "quick", "another stream goes on");
    assert(written < 2_000_000, "the writer was stopped");
  },

  "a reset tells its code, and an unknown protocol is refused": async (fixture) => {
    const { elapse } = fixture;
    const { here, there } = await connect(fixture);
    take(there, "no", (stream) => stream.reset(77));
    const reset = await elapse(failureOf(await elapse(open(here, "no"))));
    assert(isCulvertError(reset, "CULVERT_PEER_ABORTED") && reset.remote, "it says who");
    assert(isCode(reset, 77), "and the code");
    const refused = await elapse(failureOf(await elapse(open(here, "what"))));
    assert(isCulvertError(refused, "CULVERT_REFUSED"), "nobody takes it");
    expectRangeError(() => here.handle("Not A Name", () => {}));
  },
};

const PATH_CASES: Cases<LinkFixture> = {
  "a link survives the loss of its path, to the byte": async (fixture) => {
    const { cut } = fixture;
    const { here, there } = await connect(fixture);
    await transferWhile(fixture, here, there, async () => {
      cut();
    });
    assert(here.path !== undefined, "there is a path again");
  },

  "a link moves to another path, to the byte": async (fixture) => {
    const { a, elapse, otherWay } = fixture;
    const { here, there } = await connect(fixture);
    await transferWhile(fixture, here, there, () => elapse(a.upgrade(here, otherWay)));
    assert(here.isOpen && there.isOpen, "it is the same link");
  },

  "a link whose peer has forgotten it ends": async (fixture) => {
    const { b, cut, elapse } = fixture;
    const { here, there } = await connect(fixture);
    const over = closedOf(here);
    cut();
    await elapse(there.close());
    assert(isCulvertError(await elapse(over), "CULVERT_UNREACHABLE"), "it says so");
    assert(b.links().length === 0, "nothing is left");
  },
};

/** Sends in both directions, lets `disturb` happen in the middle, and compares every byte. */
async function transferWhile(
  { elapse }: LinkFixture,
  here: Link,
  there: Link,
  disturb: () => Promise<void>,
): Promise<void> {
  const pattern = new Pattern(3);
  take(there, "echo", echoed);
  const stream = await elapse(open(here, "echo"));
  const back = collect(stream);
  const half = BULK_BYTES / 2;
  const isWritten = new Promise<void>((resolve) => {
    stream.write(pattern.bytes(0, half), () => resolve());
  });
  await elapse(isWritten);
  stream.write(pattern.bytes(half, half - 1));
  await disturb();
  stream.end(pattern.bytes(BULK_BYTES - 1, 1));
  assert(isText(pattern, await elapse(back), BULK_BYTES), "not a byte is lost or repeated");
}

async function connect(
  { a, b, target, elapse }: LinkFixture,
  more: Partial<DialTarget> = {},
): Promise<{ here: Link; there: Link }> {
  const accepted = new Promise<Link>((resolve) => {
    const stop = b.onLink((link) => {
      stop();
      resolve(link);
    });
  });
  const here = await elapse(a.dial({ ...target, ...more }));
  return { here, there: await elapse(accepted) };
}

function isText(pattern: Pattern, bytes: Uint8Array, length: number): boolean {
  return bytes.length === length && pattern.mismatch(0, bytes) === undefined;
}

/** Opens a stream that may fail unheard when the hosts are put away. */
async function open(link: Link, protocol: string, signal?: AbortSignal): Promise<LinkStream> {
  const stream = await link.openStream(protocol, signal === undefined ? {} : { signal });
  return stream.on("error", () => {});
}

/** Takes streams that may fail unheard. */
function take(link: Link, protocol: string, use: (stream: LinkStream) => void = () => {}): void {
  link.handle(protocol, (stream) => use(stream.on("error", () => {})));
}

const echoed = (stream: LinkStream): void => {
  stream.pipe(stream);
};

async function text(stream: LinkStream): Promise<string> {
  return new TextDecoder().decode(await collect(stream));
}

function failureOf(stream: LinkStream): Promise<unknown> {
  return new Promise((resolve) => stream.once("error", resolve));
}

function closedOf(link: Link): Promise<unknown> {
  return new Promise((resolve) => link.onClose(resolve));
}

function isCode({ detail }: CulvertError, expected: number): boolean {
  const { code } = detail ?? {};
  return code === expected;
}

/** What has to hold once the stream is closed. */
async function settled(holds: () => boolean, stream: LinkStream): Promise<void> {
  if (!stream.closed) await new Promise((resolve) => stream.once("close", resolve));
  assert(holds(), "nothing is left");
}

function expectRangeError(run: () => unknown): void {
  let thrown: unknown;
  try {
    run();
  } catch (error) {
    thrown = error;
  }
  assert(thrown instanceof RangeError, "a RangeError");
}
