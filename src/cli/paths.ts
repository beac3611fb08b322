import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** Where the command keeps things, by the XDG base directory specification. */
export interface Paths {
  /** What unfinished work needs to go on: secrets, journals. Nobody else may read it. */
  readonly sessions: string;
  /** What `culvert map` stores, unless it is told otherwise. */
  readonly mapStore: string;
  /** The folder of `culvert node`, unless it is told otherwise. */
  readonly node: string;
  /** What a client of the network remembers: the nodes that it prefers as first hops. */
  readonly client: string;
}

/**
 * Works out the folders from the environment. As XDG asks, a relative path in a variable does not
 * count.
 */
export function findPaths(env: NodeJS.ProcessEnv, home: string = homedir()): Paths {
  const { LOCALAPPDATA: local, XDG_STATE_HOME, XDG_DATA_HOME } = env;
  const state = absolute(XDG_STATE_HOME) ?? absolute(local) ?? join(home, ".local", "state");
  const data = absolute(XDG_DATA_HOME) ?? absolute(local) ?? join(home, ".local", "share");
  return {
    sessions: join(state, "culvert", "sessions"),
    mapStore: join(data, "culvert", "map"),
    node: join(data, "culvert", "node"),
    client: join(state, "culvert", "client"),
  };
}

function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) ? path : undefined;
}
