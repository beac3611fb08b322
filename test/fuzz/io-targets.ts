import { X509Certificate } from "node:crypto";
import { equalBytes, isCulvertError, SeededRandom, utf8 } from "../../src/base/index.ts";
import { Writer } from "../../src/codec/index.ts";
import {
  CERTIFICATE_BYTES_MAX,
  makeCertificate,
  readCertificate,
} from "../../src/io/certificate.ts";
import { prefaceIn } from "../../src/io/prefaced-tls.ts";
import { changed, type FuzzTarget, refusedOr } from "./fuzz.ts";

const random = new SeededRandom(40);
const NODE_ID = random.bytes(32);
const CLAIMS = { nodeId: NODE_ID, ip: new Uint8Array(16), unixMs: 1_735_689_600_000 };
const TEXT = utf8(makeCertificate(CLAIMS).certificate);
const RAW = new Uint8Array(new X509Certificate(TEXT).raw);

const PREFACES = [TEXT, new Uint8Array(20), new Uint8Array(0)].map((text) => {
  return new Writer(text.length + 4).u32(text.length).bytes(text).finish();
});

/** The preface as it comes: in pieces, each looked at with all before it. */
function runPreface(bytes: Uint8Array, dice: SeededRandom): void {
  const cuts = [dice.below(bytes.length + 1), bytes.length].sort((a, b) => a - b);
  for (const cut of cuts) {
    const found = prefaceIn(bytes.subarray(0, cut));
    if (found === undefined || isCulvertError(found, "CULVERT_PROTOCOL")) continue;
    if (found instanceof Error) throw found;
    const isWhole = cut > 4 && equalBytes(found, bytes.subarray(4, cut));
    if (!isWhole || found.length > CERTIFICATE_BYTES_MAX) throw new Error("not what was sent");
  }
}

/** A changed certificate in its armour: of changed armour little gets past OpenSSL. */
function armoured(dice: SeededRandom): Uint8Array {
  if (dice.below(4) === 0) return changed(dice, TEXT);
  const body = Buffer.from(changed(dice, RAW)).toString("base64").replace(/.{64}/g, "$&\n");
  return utf8(`-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`);
}

/** What a server of a foreign peer says before TLS. */
export const IO_TARGETS: readonly FuzzTarget[] = [
  { name: "preface", seeds: PREFACES, run: runPreface },
  {
    name: "certificate",
    seeds: [TEXT],
    make: armoured,
    run: (bytes) => {
      const read = refusedOr(["CULVERT_PROTOCOL"], () => readCertificate(bytes));
      if (read === undefined) return;
      if (read.nodeId !== undefined && read.nodeId.length !== 32) throw new Error("no node id");
    },
  },
];
