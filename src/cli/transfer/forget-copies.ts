import { readIfThere } from "../../io/durable-file.ts";
import type { Session } from "../session/session.ts";
import { decodeHeader, type Manifest } from "./manifest.ts";
import { Staging } from "./staging.ts";

/**
 * Removes what a `receive` that was killed while it gave names has copied to other file systems
 * than that of its target: only the list of its files says where that is.
 */
export async function forgetCopies({ id, headerPath, record }: Session): Promise<void> {
  const { target, phase } = record;
  // Before everything has come nothing is copied, and its names may lead anywhere. After that all
  // that was copied has its name.
  if (target === undefined || phase !== "verified") return;
  const manifest = readManifest(await readIfThere(headerPath));
  if (manifest === undefined) return;
  await new Staging({ target, id, manifest, umask: 0 }).discardAll();
}

/** A list that is damaged names nothing; the rest can be forgotten all the same. */
function readManifest(header: Uint8Array | undefined): Manifest | undefined {
  try {
    return header && decodeHeader(header);
  } catch {
    return undefined;
  }
}
