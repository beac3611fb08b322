import { join } from "node:path";
import { CulvertError, type Instant } from "../../base/index.ts";
import type { Context } from "../context.ts";
import { Child } from "./child.ts";

/** Where a demo plays: its processes, each with folders of its own, and its narrator. */
export class Stage {
  readonly #context: Context;
  readonly #folder: string;
  readonly #startedAt: Instant;
  readonly #children: Child[] = [];
  #isCleared = false;

  constructor(context: Context, folder: string) {
    this.#context = context;
    this.#folder = folder;
    this.#startedAt = context.clock.now();
  }

  /** Seconds since the beginning. */
  get seconds(): number {
    return (this.#context.clock.now() - this.#startedAt) / 1000;
  }

  /** Tells what happens, and when. */
  say(words: string): void {
    const at = `${this.seconds.toFixed(1).padStart(5)} s`;
    this.#context.output.tell("story", { words }, `${at}  ${words}`);
  }

  /**
   * Starts a process as the user `name` would on a machine of theirs.
   *
   * @throws CulvertError `CULVERT_CLOSED` once the stage was cleared
   */
  start(name: string, args: readonly string[], input?: string): Child {
    if (this.#isCleared) throw new CulvertError("CULVERT_CLOSED");
    const { env, self } = this.#context;
    const home = join(this.#folder, `${name}-home`);
    const { CULVERT_MAP: _map, CULVERT_TICKET: _ticket, ...inherited } = env;
    const child = new Child({
      self,
      args,
      env: { ...inherited, XDG_STATE_HOME: home, XDG_DATA_HOME: home },
      input,
    });
    this.#children.push(child);
    return child;
  }

  /** Ends every process that is still there, and lets none begin: a play may not have heard. */
  async clear(): Promise<void> {
    this.#isCleared = true;
    for (const child of this.#children) await child.kill("SIGKILL");
  }
}
