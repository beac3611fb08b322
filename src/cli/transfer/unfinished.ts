import { type CulvertError, equalBytes } from "../../base/index.ts";
import { readIfThere } from "../../io/durable-file.ts";
import type { MapChoice } from "../connection/connection.ts";
import type { Session, SessionStore } from "../session/session.ts";
import { changed } from "./source.ts";

/** What tells one transfer from another for whoever sends it. */
export interface Sent {
  /** What was named, as absolute paths. */
  readonly paths: readonly string[];
  /** What was found there, as it travels. */
  readonly header: Uint8Array;
  readonly map: Pick<MapChoice, "name">;
}

/**
 * The unfinished transfer of the same paths by the same Map, if there is one: the last that was
 * begun of those whose files are still what they were.
 *
 * @param tellDamaged hears of each record that cannot be read and may be the one, if none is found
 * @throws CulvertError `CULVERT_FILE` when there are some, and of none of them they are
 */
export async function findUnfinished(
  store: SessionStore,
  sent: Sent,
  tellDamaged: (id: string, error: CulvertError) => void = () => {},
): Promise<{ readonly session: Session; readonly secret: Uint8Array } | undefined> {
  let hasChanged = false;
  const damaged = new Map<string, CulvertError>();
  const sessions = await store.list((id, error) => damaged.set(id, error));
  for (const session of sessions.toReversed()) {
    const { command, phase, paths, map, secret } = session.record;
    if (command !== "send" || phase !== "open" || secret === undefined) continue;
    if (map !== sent.map.name || paths?.join("\0") !== sent.paths.join("\0")) continue;
    const header = await readIfThere(session.headerPath);
    if (header !== undefined && equalBytes(header, sent.header)) return { session, secret };
    hasChanged = true;
  }
  if (hasChanged) throw changed("what is sent");
  for (const [id, error] of damaged) tellDamaged(id, error);
  return undefined;
}
