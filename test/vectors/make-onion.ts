/**
 * Makes `onion.json`: packets, reply blocks and wide blocks from fixed randomness, by the portable
 * provider. Run: `npx tsx test/vectors/make-onion.ts`. The wire of version 1 stays as it is: a
 * change of this file's output is a new version.
 */
import { writeFileSync } from "node:fs";
import { loadProvider } from "../../src/crypto/index.ts";
import { onionVectors } from "../onion/vectors.ts";

const suite = loadProvider("noble");
if (suite === undefined) throw new Error("noble is always there");
const vectors = onionVectors(suite);
writeFileSync(new URL("onion.json", import.meta.url), `${JSON.stringify(vectors, null, 2)}\n`);
console.log(`onion.json: ${Object.keys(vectors).join(", ")}`);
