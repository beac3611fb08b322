/**
 * What each primitive costs with each provider, in microseconds.
 *
 * Run: `npx tsx bench/crypto.ts`.
 */
import { SeededRandom, toHex, utf8 } from "../src/base/index.ts";
import { BlindedSigner, Chain, type CryptoProvider, useProvider } from "../src/crypto/index.ts";
import { check, measure, printTable, writeResults } from "./harness.ts";
import { installed, PROVIDERS } from "./providers.ts";

type Result = Uint8Array | boolean | undefined;

/** Each primitive on fixed inputs, the same for every provider. */
function primitives(provider: CryptoProvider): Record<string, () => Result> {
  const random = new SeededRandom(1);
  const key = random.bytes(32);
  const nonce = random.bytes(24);
  const scalar = random.bytes(32).fill(0, 31);
  const cell = random.bytes(1024);
  const context = utf8("data");
  const chain = Chain.fromBytes(random.bytes(104));
  const [publicKey = scalar] = provider.ed25519MultiplyBase([scalar]);
  const eight = Array.from({ length: 8 }, () => scalar);
  useProvider(provider);
  const signer = BlindedSigner.of(key, key);
  const signature = signer.sign(cell);
  const made: Record<string, () => Result> = {
    "sha256 40 B": () => provider.sha256(cell.subarray(0, 40)),
    "sha256 1 KiB": () => provider.sha256(cell),
    "sha512 1 KiB": () => provider.sha512(cell),
    "blake2b 1 KiB": () => provider.blake2b512(cell),
    "chacha20 1 KiB": () => provider.chacha20Xor(key, nonce.subarray(0, 12), cell),
    "hkdf 96 B": () => provider.hkdfBlake2b({ ikm: key, info: nonce, length: 96 }),
    "ed25519 verify 1 KiB": () => provider.ed25519Verify(signer.address, cell, signature),
    "ed25519 base point": () => provider.ed25519MultiplyBase([scalar])[0],
    "ed25519 base point, eight at once": () => provider.ed25519MultiplyBase(eight)[7],
    "ed25519 known root": () => provider.ed25519MultiplyPoint([scalar], publicKey)?.[0],
    "ed25519 is public key": () => provider.ed25519IsPublicKey(publicKey),
    x25519: () => provider.x25519(key, publicKey),
    "x25519 public key": () => provider.x25519PublicKey(key),
  };
  for (const kib of [1, 8, 32]) {
    const plaintext = random.bytes(kib * 1024);
    const box = provider.secretboxSeal(key, nonce, plaintext);
    made[`seal ${kib} KiB`] = () => provider.secretboxSeal(key, nonce, plaintext);
    made[`open ${kib} KiB`] = () => provider.secretboxOpen(key, nonce, box);
  }
  // From here on what is built on the provider in use; setting it costs nothing.
  const using = (run: () => Result) => (): Result => {
    useProvider(provider);
    return run();
  };
  made["chain step"] = using(() => chain.next().toBytes());
  made["frame id"] = using(() => chain.frameId(context));
  made["frame key"] = using(() => chain.frameKey(context));
  made["blinded signer"] = using(() => BlindedSigner.of(key, key).address);
  made["sign 1 KiB"] = using(() => signer.sign(cell));
  return made;
}

function text(result: Result): string {
  return result instanceof Uint8Array ? toHex(result) : String(result);
}

async function main(): Promise<void> {
  const all = PROVIDERS.map((name) => primitives(installed(name)));
  const rows: Record<string, string | number>[] = [];
  for (const primitive of Object.keys(all[0] ?? {})) {
    const runs = all.map((made) => made[primitive] ?? (() => undefined));
    const results = runs.map((run) => text(run()));
    check(new Set(results).size === 1, `${primitive} differs: ${results.join(" ")}`);
    check(results[0] !== "false" && results[0] !== "undefined", `${primitive} fails`);
    const subjects = PROVIDERS.map((name, i) => ({ name, run: () => void runs[i]?.() }));
    const timings = await measure(subjects, { rounds: 9, sampleMs: 15 });
    rows.push({ primitive, ...Object.fromEntries(timings.map(({ name, us }) => [name, us])) });
  }
  printTable("microseconds, by provider", rows);
  writeResults("crypto", rows);
}

await main();
