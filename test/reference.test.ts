import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as culvert from "culvert";
import { MemoryTransport } from "culvert/transport";
import { describe, expect, it } from "vitest";
import { ROOT } from "./tidy/source.ts";

/** Every name in the index of the reference's package, its methods and fields included. */
const REFERENCE = [
  ["ErrStreamClosed", "ErrFrameDecrypt", "ErrGeometryChanged", "ErrInvalidAddr", "ErrHalted"],
  ["H(", "PayloadSize(", "DuplexFromSeed", "RWClient", "Put(", "Get("],
  ["Transport", "mClient.ReadWriteClient", "client.nqueue", "client.Item"],
  [
    "BufferedStream",
    "Buffer",
    "CBORDecode(",
    "CBORDecodeAsync(",
    "Close",
    "Read",
    "Start",
    "Write",
  ],
  ["Frame", "Type", "Id", "Ack", "Payload", "Frame.String()", "FrameType"],
  ["StreamStart", "StreamData", "StreamEnd", "FrameWithPriority", "Priority()"],
  ["ReTx", "Wack", "Ack(", "Push", "TimerQueue"],
  ["Addr", "Initiator", "Mode", "WriteKey", "ReadKey", "WriteIDBase", "ReadIDBase"],
  ["WriteBuf", "ReadBuf", "ReadIdx", "WriteIdx", "AckIdx", "PeerAckIdx", "TQ", "R"],
  ["WindowSize", "MaxWriteBufSize", "RState", "WState", "Timeout"],
  ["Dial(", "DialDuplex", "Listen(", "ListenDuplex", "LoadStream(", "NewDuplex(", "NewStream("],
  ["NewMulticastStream(", "LocalAddr", "RemoteAddr", "MarshalCBOR", "UnmarshalCBOR", "Save"],
  ["SetTransport", "StartWithTransport", "String()", "Sync()", "Halt()", "worker.Worker"],
  ["StreamAddr", "Network()", "Snetwork", "Saddress", "StreamMode", "Multicast", "EndToEnd"],
  ["StreamState", "StreamOpen", "StreamClosing", "StreamClosed", "net.Conn", "sync.Mutex"],
].flat();

/** The words of all files that say what a subpath exports. */
const PUBLIC = readPublicWords();

function readPublicWords(): ReadonlySet<string> {
  const { exports } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const built = Object.values<{ default?: string }>(exports).flatMap((path) => path.default ?? []);
  const paths = built.map((path) => path.replace("./dist", "src").replace(/js$/, "ts"));
  const texts = [...paths, "src/stream/index.ts"].map((path) => readFileSync(join(ROOT, path)));
  return new Set(texts.join("\n").match(/\w+/g));
}

describe("docs/REFERENCE.md", () => {
  const page = readFileSync(join(ROOT, "docs/REFERENCE.md"), "utf8");
  const cells = page.split("\n").filter((line) => line.startsWith("| "));
  const theirs = cells.map((row) => row.split("|")[1] ?? "").join("\n");
  const ours = cells.map((row) => row.split("|")[2] ?? "").join("\n");

  it.each(REFERENCE)("has a row for %s", (name) => {
    const escaped = name.replaceAll(/[.()]/g, "\\$&");
    const ending = name.endsWith("(") ? "" : "(?![A-Za-z])";
    expect(theirs).toMatch(new RegExp(`(?<![A-Za-z])${escaped}${ending}`));
  });

  it("says which mode is the default", () => {
    expect(theirs).toContain("`EndToEnd`, the default");
  });

  it("says of what no subpath exports where it is", () => {
    const internal = cells.flatMap((row) => {
      const here = row.split("|")[2] ?? "";
      return [...here.matchAll(/`([A-Z][a-z]\w+)/g)]
        .map(([, name = ""]) => name)
        .filter((name) => !(name in globalThis) && !PUBLIC.has(name))
        .map((name) => ({ name, isPlaced: here.includes("internal (`src/") }));
    });
    expect(internal.map(({ name }) => name)).toContain("PoissonPacer");
    expect(internal.filter(({ isPlaced }) => !isPlaced)).toEqual([]);
  });

  it("names only members that are there", async () => {
    const transport = new MemoryTransport();
    const stream = culvert.Stream.listen(transport, culvert.generateSecret());
    const buffered = new culvert.BufferedStream(stream);
    const owners = { Stream: culvert.Stream, stream, buffered, transport, Mode: culvert.Mode };
    const named = [...ours.matchAll(/\b(Stream|stream|buffered|transport|Mode)\.([a-zA-Z]+)/g)];
    expect(named.length).toBeGreaterThan(20);
    for (const [text, owner, member = ""] of named) {
      const known = owners[owner as keyof typeof owners];
      expect(member in known, text).toBe(true);
    }
    await stream.halt();
  });

  it("names only codes, classes and functions that are exported", () => {
    const codes = [...ours.matchAll(/CULVERT_[A-Z_]+/g)].map(([code]) => code);
    expect(codes.filter((code) => !(code in culvert.ERROR_CODES))).toEqual([]);
    const made = [...ours.matchAll(/new ([A-Z][A-Za-z]+)/g)].map(([, name = ""]) => name);
    expect(made.filter((name) => !(name in culvert))).toEqual([]);
  });
});
