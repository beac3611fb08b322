import { concatBytes, type Log, toHex } from "../../base/index.ts";
import { NODE_ID_BYTES, type NodeId, nodeIdText } from "../../identity/index.ts";
import { readState, writeDurably } from "../../io/durable-file.ts";
import { systemRandom } from "../../io/random.ts";

/** Guards that are read from a file at the most. */
const GUARDS_MAX = 16;

const GUARDS_FILE = "guards";

/** The guards of somebody who goes through circuits, from one run to the next. */
export interface KeptGuards {
  /** Those of the last run. */
  readonly guards: readonly NodeId[];
  readonly onGuards: (guards: readonly NodeId[]) => void;
  /** Resolves once those that were told last are written. */
  written(): Promise<void>;
}

/**
 * Keeps guards in a folder; without one they are those of this run alone.
 *
 * @throws CulvertError `CULVERT_FILE` when those of an earlier run cannot be read
 */
export async function keptGuards(directory: string | undefined, log: Log): Promise<KeptGuards> {
  let writing = Promise.resolve();
  const written = (): Promise<void> => writing;
  if (directory === undefined) return { guards: [], onGuards: () => {}, written };
  const path = `${directory}/${GUARDS_FILE}`;
  const write = guardsWriter(path, log);
  const onGuards = (guards: readonly NodeId[]): void => {
    writing = write(guards);
  };
  return { guards: await readGuards(path), onGuards, written };
}

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
