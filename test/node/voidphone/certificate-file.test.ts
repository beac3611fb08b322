import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { explain, withStoreHint } from "../../../src/cli/failure.ts";
import { makeCertificate, readIdentity } from "../../../src/io/certificate.ts";
import { keptCertificate } from "../../../src/node/voidphone/certificate-file.ts";

const SELF = { id: new Uint8Array(32).fill(7), host: "127.0.0.1" };
const OTHER = { ...SELF, id: new Uint8Array(32).fill(8) };

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "culvert-certificate-"));
  await run(folder);
  await rm(folder, { recursive: true });
}

describe("the certificate for foreign peers", () => {
  it("is the same in each run of a node", async () => {
    await inFolder(async (folder) => {
      const first = await keptCertificate(folder, () => {})(SELF);
      expect(await keptCertificate(folder, () => {})(SELF)).toEqual(first);
      expect((await stat(join(folder, "voidphone.pem"))).mode & 0o777).toBe(0o600);
      expect(await readdir(folder)).toEqual(["voidphone.pem"]);
    });
  });

  it("is the same at another address, and another one for another node", async () => {
    await inFolder(async (folder) => {
      const first = await keptCertificate(folder, () => {})(SELF);
      expect(await keptCertificate(folder, () => {})({ ...SELF, host: "::1" })).toEqual(first);
      const other = await keptCertificate(folder, () => {})(OTHER);
      expect(other).not.toEqual(first);
      expect(await keptCertificate(folder, () => {})(OTHER)).toEqual(other);
    });
  });

  it("is that of one run without a folder", async () => {
    const certificate = keptCertificate(undefined, () => {});
    expect(await certificate(SELF)).not.toEqual(await certificate(SELF));
  });

  it.each([
    ["its key is missing", (text: string) => text.slice(0, text.indexOf("-----BEGIN PRIVATE"))],
    ["its key is another one", (text: string, other: string) => half(text, 0) + half(other, 1)],
    ["it is damaged", (text: string) => text.replace("MII", "AAA")],
    ["a letter of it is another one", (text: string) => text.replace(/(?<=^.{200})./s, another)],
    ["it is cut off", (text: string) => text.slice(0, 300)],
    ["there is nothing in it", () => ""],
  ])("is missed, and not made anew, when %s", async (_what, spoil) => {
    await inFolder(async (folder) => {
      const path = join(folder, "voidphone.pem");
      await keptCertificate(folder, () => {})(OTHER);
      const other = await readFile(path, "utf8");
      await keptCertificate(folder, () => {})(SELF);
      const spoilt = spoil(await readFile(path, "utf8"), other);
      await writeFile(path, spoilt);
      // Peers that remember the one that it was would take this node for an impostor.
      const error = await keptCertificate(folder, () => {})(SELF).catch((thrown) => thrown);
      expect(error).toMatchObject({ code: "CULVERT_BAD_STATE", message: `${path} is damaged` });
      expect(explain(withStoreHint(error)).hint).toMatch(/^put a copy of it back, or move it/);
      expect(await readFile(path, "utf8")).toBe(spoilt);
    });
  });

  it("is made anew when its time is over", () => {
    const made = makeCertificate({ nodeId: SELF.id, ip: new Uint8Array(16), unixMs: 0 });
    const text = made.certificate + made.privateKey;
    const tenYears = Date.UTC(1979, 11, 30);
    expect(readIdentity(text, tenYears - 1)).toEqual(made);
    expect(readIdentity(text, tenYears)).toBeUndefined();
  });

  it("serves one run where it cannot be written; one that cannot be read is named", async () => {
    await inFolder(async (folder) => {
      const warned: string[] = [];
      const gone = keptCertificate(join(folder, "gone"), (_, event) => warned.push(event));
      expect((await gone(SELF)).certificate).toMatch(/^-----BEGIN CERTIFICATE-----/);
      expect(warned).toEqual(["certificate-not-kept"]);
      await mkdir(join(folder, "voidphone.pem"));
      const unread = keptCertificate(folder, () => {})(SELF);
      await expect(unread).rejects.toMatchObject({ code: "CULVERT_FILE" });
    });
  });
});

function another(letter: string): string {
  return letter === "A" ? "B" : "A";
}

/** The certificate (0) or the key (1) of a file. */
function half(text: string, part: 0 | 1): string {
  const at = text.indexOf("-----BEGIN PRIVATE");
  return part === 0 ? text.slice(0, at) : text.slice(at);
}
