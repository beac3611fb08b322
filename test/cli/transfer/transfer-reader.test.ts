import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concatBytes, isCulvertError } from "../../../src/base/index.ts";
import {
  decodeHeader,
  type Entry,
  encodeHeader,
  makeManifest,
} from "../../../src/cli/transfer/manifest.ts";
import {
  TRAILER_BYTES,
  type TransferPart,
  TransferReader,
} from "../../../src/cli/transfer/transfer-reader.ts";
import { encodeCbor } from "../../../src/codec/index.ts";

const entries: readonly Entry[] = [
  { kind: "folder", path: "a", mode: 0o755 },
  { kind: "file", path: "a/empty", mode: 0o644, size: 0, mtimeMs: 0 },
  { kind: "file", path: "a/five", mode: 0o600, size: 5, mtimeMs: -1 },
  { kind: "file", path: "three", mode: 0o777, size: 3, mtimeMs: 1_700_000_000_123 },
];
const manifest = makeManifest(entries);
const header = encodeHeader(manifest);
const contents = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const trailer = new Uint8Array(TRAILER_BYTES).fill(0xdd);
const whole = concatBytes(header, contents, trailer);

/** Puts the parts together again, so that pieces of any size give one result. */
function summarize(parts: readonly TransferPart[]) {
  const summary = { header: [] as number[], files: {} as Record<string, number[]>, digest: "" };
  for (const part of parts) {
    if (part.kind === "header") summary.header.push(...part.bytes);
    if (part.kind === "manifest") expect(part.manifest).toEqual(manifest);
    if (part.kind === "trailer") summary.digest = part.digest.join();
    if (part.kind !== "content") continue;
    summary.files[part.file.path] ??= [];
    const file = summary.files[part.file.path] ?? [];
    expect(part.at).toBe(file.length);
    file.push(...part.bytes);
  }
  return summary;
}

const expected = {
  header: [...header],
  files: { "a/five": [1, 2, 3, 4, 5], three: [6, 7, 8] },
  digest: trailer.join(),
};

describe("reading a transfer", () => {
  test("whole, byte by byte, and in pieces of any size gives the same", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 })), (lengths) => {
        const reader = new TransferReader();
        const parts: TransferPart[] = [];
        let at = 0;
        for (const length of [...lengths, whole.length]) {
          parts.push(...reader.push(whole.slice(at, at + length)));
          at += length;
        }
        reader.finish();
        expect(summarize(parts)).toEqual(expected);
      }),
    );
  });

  test("goes on at any position of the contents", () => {
    for (let kept = 0; kept <= contents.length; kept++) {
      const reader = new TransferReader();
      reader.push(header);
      reader.skip(kept);
      const parts = reader.push(whole.slice(header.length + kept));
      reader.finish();
      const bytes = parts.flatMap((part) => (part.kind === "content" ? [...part.bytes] : []));
      expect(bytes).toEqual([...contents.slice(kept)]);
    }
  });

  test("a transfer that ends early, or goes on after its end, is refused", () => {
    for (let length = 0; length < whole.length; length++) {
      const reader = new TransferReader();
      reader.push(whole.slice(0, length));
      expect(() => reader.finish()).toThrow("ended before");
    }
    expect(() => new TransferReader().push(concatBytes(whole, Uint8Array.of(0)))).toThrow("follow");
  });

  test("other bytes, other versions and endless lists are refused at once", () => {
    const changed = (at: number, byte: number) => {
      const bytes = header.slice(0, 8);
      bytes[at] = byte;
      return bytes;
    };
    expect(() => new TransferReader().push(changed(0, 0x47))).toThrow("not a transfer of files");
    expect(() => new TransferReader().push(changed(3, 2))).toThrow("version 2");
    expect(() => new TransferReader().push(changed(4, 0x7f))).toThrow("too long");
  });

  test("lists with anything but files and folders in them are refused", () => {
    const good = ["a", 0o644, 5, 0] as const;
    const bad = [
      {},
      "a",
      [good, "a"],
      [["a"]],
      [["a", 0o644, 5]],
      [[...good, 1]],
      [[1, 0o644, 5, 0]],
      [["a", 0o1777, 5, 0]],
      [["a", -1, 5, 0]],
      [["a", 0o644, -1, 0]],
      [["a", 0o644, 0.5, 0]],
      [["a", 0o644, 2n ** 60n, 0]],
      [["a", 0o644, 5, 9e15]],
      [["a", 0o644, 5, null]],
      [["a", 0o644, Number.MAX_SAFE_INTEGER, 0], good],
    ];
    for (const list of bad) expect(() => decode(encodeCbor(list))).toThrow();
    expect(decode(encodeCbor([good])).contentBytes).toBe(5);
  });

  test("no change of any byte of a header escapes as anything but a typed error", () => {
    const place = fc.nat({ max: header.length - 1 });
    fc.assert(
      fc.property(
        place,
        fc.nat({ max: 255 }),
        fc.integer({ min: 1, max: 99 }),
        (at, byte, step) => {
          const bytes = whole.slice();
          bytes[at] = byte;
          try {
            const reader = new TransferReader();
            for (let i = 0; i < bytes.length; i += step) reader.push(bytes.slice(i, i + step));
            reader.finish();
          } catch (error) {
            expect(isCulvertError(error, "CULVERT_PROTOCOL")).toBe(true);
          }
        },
      ),
    );
  });
});

function decode(list: Uint8Array) {
  const prefix = Uint8Array.of(0x63, 0x76, 0x66, 1, 0, 0, 0, 0);
  new DataView(prefix.buffer).setUint32(4, list.length);
  return decodeHeader(concatBytes(prefix, list));
}
