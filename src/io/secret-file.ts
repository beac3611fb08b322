import { CulvertError } from "../base/index.ts";
import { readIfThere, writeDurably } from "./durable-file.ts";
import { systemRandom } from "./random.ts";

/** A key of any kind here, or the seed of one. */
const SECRET_BYTES = 32;

/**
 * The 32 secret bytes of a file that only this user can read; made of fresh randomness when there
 * is none, and durable before they are returned. The caller holds a lock on what the file belongs
 * to.
 *
 * @throws CulvertError `CULVERT_BAD_STATE` when the file has another length, `CULVERT_FILE`
 */
export async function loadOrCreateSecret(path: string): Promise<Uint8Array> {
  let secret: Uint8Array;
  try {
    const kept = await readIfThere(path);
    secret = kept === undefined ? await create(path) : new Uint8Array(kept);
  } catch (cause) {
    throw new CulvertError("CULVERT_FILE", `cannot read or write ${path}`, { cause });
  }
  if (secret.length === SECRET_BYTES) return secret;
  const message = `${path} does not have ${SECRET_BYTES} bytes`;
  throw new CulvertError("CULVERT_BAD_STATE", message, { detail: { keyFile: path } });
}

async function create(path: string): Promise<Uint8Array> {
  const secret = systemRandom.bytes(SECRET_BYTES);
  await writeDurably(path, secret);
  return secret;
}
