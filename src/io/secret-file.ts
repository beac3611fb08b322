import { open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { CulvertError } from "../base/index.ts";
import { systemRandom } from "./random.ts";

/**
 * The secret bytes of a file that only this user can read; made of fresh randomness when there is
 * none, and durable before they are returned. The caller holds a lock on what the file belongs to.
 *
 * @throws CulvertError `CULVERT_BAD_STATE` when the file has another length, `CULVERT_FILE`
 */
export async function loadOrCreateSecret(path: string, length: number): Promise<Uint8Array> {
  let secret: Uint8Array;
  try {
    secret = (await readIfThere(path)) ?? (await create(path, length));
  } catch (cause) {
    throw new CulvertError("CULVERT_FILE", `cannot read or write ${path}`, { cause });
  }
  if (secret.length === length) return secret;
  throw new CulvertError("CULVERT_BAD_STATE", `${path} does not have ${length} bytes`);
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

async function create(path: string, length: number): Promise<Uint8Array> {
  const secret = systemRandom.bytes(length);
  const draft = `${path}.new`;
  const file = await open(draft, "w", 0o600);
  try {
    await file.writeFile(secret);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  await syncFolder(dirname(path));
  return secret;
}

async function syncFolder(path: string): Promise<void> {
  // Windows does not open folders; its file systems log their names themselves.
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
