import { concatBytes, type Log, toHex } from "../base/index.ts";
import { NODE_ID_BYTES, type NodeId, nodeIdText } from "../identity/index.ts";
import { readState, writeDurably } from "../io/durable-file.ts";
import { systemRandom } from "../io/random.ts";

/** Guards that are read from a file at the most. */
const GUARDS_MAX = 16;

/**
 * The guards of an earlier run, the first choice first; none where there is no such file.
 *
 * @throws CulvertError `CULVERT_FILE`
 */
export async function readGuards(path: string): Promise<NodeId[]> {
  const bytes = await readState(path);
  if (bytes === undefined || bytes.length % NODE_ID_BYTES !== 0) return [];
  // Whatever a file has twice is one first hop, and would pass for two.
  const guards = new Map<string, NodeId>();
  for (let at = 0; at < bytes.length && guards.size < GUARDS_MAX; at += NODE_ID_BYTES) {
    const id = new Uint8Array(bytes.subarray(at, at + NODE_ID_BYTES));
    guards.set(nodeIdText(id), id);
  }
  return [...guards.values()];
}

/** Writes guards to a file, one time after the other: the last ones that it was told stay. */
export function guardsWriter(path: string, log: Log): (guards: readonly NodeId[]) => Promise<void> {
  // Commands that run at once have one file.
  const draft = `${path}.${toHex(systemRandom.bytes(8))}.new`;
  let writing = Promise.resolve();
  const write = async (guards: readonly NodeId[]): Promise<void> => {
    try {
      await writeDurably(path, concatBytes(...guards), draft);
    } catch (error) {
      log("warn", "guards-not-kept", { message: String(error) });
    }
  };
  return (guards) => {
    writing = writing.then(() => write(guards));
    return writing;
  };
}
