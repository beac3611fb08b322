import { createHash, randomBytes } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { extract, pack } from "tar-stream";
import { describe, expect, it } from "vitest";
import { cross, WAYS } from "./ways.ts";

describe.each(WAYS)("tar-stream over %s", (_name, way) => {
  it("carries an archive, and its digest comes back", async () => {
    await cross(way, async ({ a, b }) => {
      const files = new Map(
        [0, 1, 511, 512, 100_000].map((size) => [`${size}`, randomBytes(size)]),
      );
      const archive = pack();
      for (const [name, content] of files) archive.entry({ name }, content);
      archive.finalize();
      const answered = buffer(a);
      const unpacked = new Map<string, Buffer>();
      const extracting = extract();
      const hash = createHash("sha256");
      const received = (async () => {
        for await (const entry of extracting) {
          const content = await buffer(entry);
          hash.update(content);
          unpacked.set(entry.header.name, content);
        }
        b.end(hash.digest());
      })();
      await Promise.all([
        pipeline(archive, createGzip({ level: 0 }), a, { end: true }),
        pipeline(b, createGunzip(), extracting, { end: true }),
        received,
      ]);
      expect(unpacked).toEqual(files);
      const sent = createHash("sha256");
      for (const content of files.values()) sent.update(content);
      expect((await answered).equals(sent.digest())).toBe(true);
    });
  });
});
