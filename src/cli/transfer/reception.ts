import { readIfThere } from "../../io/durable-file.ts";
import type { Stream } from "../../stream/index.ts";
import type { Context } from "../context.ts";
import { printable } from "../humanize.ts";
import type { Session } from "../session/session.ts";
import { type Goodbye, giveUp, leaveWord, sayGoodbye } from "../session/stream-run.ts";
import { ask } from "../terminal/question.ts";
import { drain } from "../terminal/standard-io.ts";
import { decodeHeader, encodeHeader, type Manifest, titleOf } from "./manifest.ts";
import { NameTaken } from "./name-taken.ts";
import { Receiving } from "./receiving.ts";
import { REFUSAL, refusalCodeOf } from "./refusal.ts";
import { type Conflicts, Staging } from "./staging.ts";
import { standstillOf, tellStandstill } from "./standstill.ts";
import { transferBytes } from "./transfer-reader.ts";

/** How many names a question or an error lists. */
const NAMES_SHOWN = 3;

/** Who receives, where to, and what is kept of it. */
export interface ReceptionOptions {
  readonly context: Context;
  readonly session: Session;
  readonly target: string;
  /** Files of the same name are replaced. */
  readonly isForced: boolean;
  /** Nothing of it is wanted. */
  readonly isDeclined?: boolean;
}

/**
 * Receives one transfer, from whatever point an earlier run has reached, to its end: files in
 * place, sender informed; or refuses it. Of what stops it meanwhile the sender is told, too.
 */
export class Reception {
  readonly #options: ReceptionOptions;
  #goodbye: Goodbye = "untold";

  constructor(options: ReceptionOptions) {
    this.#options = options;
  }

  /** What the sender knows: once it is `over`, or a refusal is `told`, no stream need be kept. */
  get goodbye(): Goodbye {
    return this.#goodbye;
  }

  /** @throws CulvertError `CULVERT_FILE`, `CULVERT_INTEGRITY`, or of the stream */
  async run(stream: Stream): Promise<void> {
    const { context, session, isDeclined } = this.#options;
    const { phase, refusal = 0 } = session.record;
    if (phase === "refused") return await this.#giveUp(stream, refusal);
    if (isDeclined === true) return await this.#refuse(stream, REFUSAL.declined);
    try {
      if (phase === "open") await this.#receive(stream);
      else await this.#goOn(stream);
    } catch (error) {
      const reason = standstillOf(error);
      const canTell = !stream.destroyed && !stream.writableEnded && !context.stop.aborted;
      if (reason !== undefined && canTell) await tellStandstill(context, stream, reason);
      // That another one has had the ticket is more than that a name is taken.
      throw stream.errored ?? error;
    }
    stream.end();
    this.#goodbye = await sayGoodbye(context, stream);
  }

  async #receive(stream: Stream): Promise<void> {
    const receiving = new Receiving({
      stream,
      headerPath: this.#options.session.headerPath,
      prepare: (manifest) => this.#prepare(manifest),
      complete: (staging) => this.#complete(stream, staging),
    });
    try {
      await receiving.run();
    } catch (error) {
      const code = refusalCodeOf(error);
      if (code !== undefined && !stream.destroyed) await this.#refuse(stream, code);
      throw error;
    }
  }

  /** Everything had arrived: gives the names that are missing, and confirms what comes again. */
  async #goOn(stream: Stream): Promise<void> {
    const { session } = this.#options;
    if (session.record.phase === "verified") {
      const header = (await readIfThere(session.headerPath)) ?? new Uint8Array(0);
      await this.#place(this.#stagingOf(decodeHeader(header)));
    }
    await drain(stream);
  }

  async #prepare(manifest: Manifest): Promise<Staging> {
    const { session, target } = this.#options;
    const staging = this.#stagingOf(manifest);
    const overwrite = await this.#mayOverwrite(await staging.conflicts());
    const totalBytes = transferBytes(encodeHeader(manifest), manifest);
    const top = manifest.entries.map(({ path }) => path).filter((path) => !path.includes("/"));
    // Before anything is there: whoever goes on with it, or forgets it, finds it by that.
    await session.save({ target, overwrite, title: titleOf(top), totalBytes });
    try {
      await staging.begin();
    } catch (error) {
      if (!(await staging.isBegun())) await session.leaveTarget();
      throw error;
    }
    return staging;
  }

  async #mayOverwrite({ replaceable, inTheWay }: Conflicts): Promise<boolean> {
    const { context, session, target, isForced } = this.#options;
    if (inTheWay.length > 0) {
      throw new NameTaken(
        `already in ${target}: ${listed(inTheWay)}`,
        "only files replace files: move these out of the way, or use --into another folder",
      );
    }
    if (isForced || session.record.overwrite === true) return true;
    if (replaceable.length === 0) return false;
    const what = listed(replaceable);
    if (context.output.isInteractive && context.stdin.isTTY === true) {
      const question = `${what}: already in ${target}. Replace? [y/N] `;
      const answer = await ask(context, question, { isSecret: false });
      if (/^y(es)?$/i.test(answer.trim())) return true;
    }
    throw new NameTaken(
      `already in ${target}: ${what}`,
      "type the same command with --force to replace files, with --into another folder, " +
        "or with --refuse to take nothing",
    );
  }

  async #complete(stream: Stream, staging: Staging): Promise<void> {
    // Our word in the Map shows whether another one has had the ticket. Nothing is placed then.
    await leaveWord(this.#options.context, stream);
    if (stream.errored !== null) throw stream.errored;
    await this.#options.session.save({ phase: "verified" });
    await this.#place(staging);
  }

  async #place(staging: Staging): Promise<void> {
    const { session, isForced } = this.#options;
    // Something may have taken a name since it was looked at.
    await staging.place({ overwrite: isForced || session.record.overwrite === true });
    await session.save({ phase: "placed" });
  }

  /** Nothing will come of it, whatever is tried again: it is not what was sent, or not wanted. */
  async #refuse(stream: Stream, code: number): Promise<void> {
    const { session } = this.#options;
    const wasPlacing = session.record.phase === "verified";
    await session.save({ phase: "refused", refusal: code });
    const header = await readIfThere(session.headerPath);
    if (session.record.target !== undefined && header !== undefined) {
      const staging = this.#stagingOf(decodeHeader(header));
      await (wasPlacing ? staging.discardAll() : staging.discard());
      if (wasPlacing) this.#options.context.output.note("files that have their names stay there");
    }
    await this.#giveUp(stream, code);
  }

  async #giveUp(stream: Stream, code: number): Promise<void> {
    const isTold = await giveUp(this.#options.context, stream, code);
    this.#goodbye = isTold ? "told" : "untold";
  }

  #stagingOf(manifest: Manifest): Staging {
    const { context, session, target } = this.#options;
    return new Staging({ target, id: session.id, manifest, umask: context.umask });
  }
}

/** The first of these names, and how many more there are. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN).map(printable).join(", ");
  const more = names.length - NAMES_SHOWN;
  return more > 0 ? `${shown} and ${more} more` : shown;
}
