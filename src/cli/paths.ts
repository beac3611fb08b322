import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { CommandError } from "./failure.ts";

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
 * count. A folder whose variable is not set is in the home of this user, and looking at it throws
 * CulvertError `CULVERT_FILE` when there is none: not everything needs one.
 */
export function findPaths(env: NodeJS.ProcessEnv, home: () => string = homedir): Paths {
  const { LOCALAPPDATA: local, XDG_STATE_HOME, XDG_DATA_HOME } = env;
  const state = (name: string): string =>
    join(absolute(XDG_STATE_HOME) ?? absolute(local) ?? inHome(home, "state"), "culvert", name);
  const data = (name: string): string =>
    join(absolute(XDG_DATA_HOME) ?? absolute(local) ?? inHome(home, "share"), "culvert", name);
  return {
    get sessions() {
      return state("sessions");
    },
    get mapStore() {
      return data("map");
    },
    get node() {
      return data("node");
    },
    get client() {
      return state("client");
    },
  };
}

function inHome(home: () => string, folder: string): string {
  try {
    const at = absolute(home());
    // What begins in the current folder would not be found again from another one.
    if (at === undefined) throw new Error("HOME is empty, or a relative path");
    return join(at, ".local", folder);
  } catch (error) {
    const hint = "set HOME, or XDG_STATE_HOME and XDG_DATA_HOME, to folders that may be written to";
    throw new CommandError("CULVERT_FILE", "this user has no home folder", hint, error);
  }
}

function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) ? path : undefined;
}
