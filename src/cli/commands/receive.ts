import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { CulvertError, unreachable } from "../../base/index.ts";
import { makeFolder } from "../../io/make-folder.ts";
import type { CommandOptions } from "../arguments/command-options.ts";
import type { RunCommand } from "../arguments/command-spec.ts";
import { requireMap, withMap } from "../connection/connection.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../failure.ts";
import { formatBytes, printable, shellQuote } from "../humanize.ts";
import { type Session, SessionStore, sessionId } from "../session/session.ts";
import { openPeerStream, runStream } from "../session/stream-run.ts";
import { receivedSample } from "../terminal/progress-sample.ts";
import { requireTicket } from "../ticket/ticket-source.ts";
import { Reception } from "../transfer/reception.ts";
import { refusedBefore } from "../transfer/refusal.ts";

const UNTOLD = "the sender may not know it yet: type the same command again to tell it";

/** `culvert receive`: what someone sends. */
export const receive: RunCommand = async (context, [operand], options) => {
  const { clock, paths, output } = context;
  const peerTimeoutMs = options.durationMs("peerTimeout");
  const { secret } = await requireTicket(context, { role: "receive", operand, options });
  const map = requireMap(context, options);
  const isDeclined = isDeclinedBy(options);
  const store = new SessionStore(paths.sessions, clock);
  const id = sessionId("receive", secret);
  const found = await store.resume(id, map);
  const wanted = { target: resolve(options.text("into") ?? "."), isDeclined };
  if (found !== undefined && (await isOver(found, wanted)))
    return tellEnd(context, found, isDeclined);
  const target = isDeclined
    ? (found?.record.target ?? wanted.target)
    : await requireWritable(wanted.target, context);
  await withMap(context, map, async (transport) => {
    const begun = { command: "receive", title: "(not known yet)", map: map.name } as const;
    const session = found ?? (await store.create(id, begun));
    const isForced = options.flag("force");
    const reception = new Reception({ context, session, target, isForced, isDeclined });
    const end = { transport, session, secret, role: "dialer", isManual: true } as const;
    const running = runStream(
      context,
      {
        session,
        open: () => openPeerStream({ ...end, peerTimeoutMs }),
        sample: (stream) => {
          return receivedSample(stream.progress(), {
            clock,
            totalBytes: session.record.totalBytes,
          });
        },
      },
      (stream) => reception.run(stream),
    );
    await running.finally(async () => {
      const isRefused = session.record.phase === "refused";
      if (isRefused && reception.goodbye === "told") await session.finish("refused");
      else if (isRefused && !context.stop.aborted) output.note(UNTOLD);
    });
    tellEnd(context, session, isDeclined);
    if (session.record.phase === "refused") return;
    if (reception.goodbye === "over") return await session.finish();
    const isTold = reception.goodbye === "told";
    output.note(isTold ? "the sender will learn of it when it comes back" : UNTOLD);
  });
};

function isDeclinedBy(options: CommandOptions): boolean {
  const isDeclined = options.flag("refuse");
  if (isDeclined && (options.flag("force") || options.text("into") !== undefined)) {
    const message = "--refuse takes nothing, and excludes --into and --force";
    throw new CulvertError("CULVERT_USAGE", message);
  }
  return isDeclined;
}

/** True when there is nothing left to do. */
async function isOver(
  session: Session,
  { target, isDeclined }: { readonly target: string; readonly isDeclined: boolean },
): Promise<boolean> {
  const { id, record } = session;
  const { phase } = record;
  if (isDeclined && (phase === "placed" || phase === "done")) {
    const hint = `it is in ${record.target ?? "its place"}; what is there can be removed`;
    throw new CommandError(
      "CULVERT_USAGE",
      "this was received, and can no longer be refused",
      hint,
    );
  }
  switch (phase) {
    case "done":
      return true;
    case "refused":
      // A run that ended in between has not told the sender yet.
      return !(await session.hasJournal());
    case "open":
    case "verified":
    case "placed":
      if (isDeclined || record.target === undefined || record.target === target) return false;
      throw begunElsewhere(id, record.target);
    default:
      return unreachable(phase);
  }
}

function begunElsewhere(id: string, target: string): CommandError {
  const hint =
    `go on with --into ${shellQuote(target)}, ` + `or forget it: culvert status --forget ${id}`;
  return new CommandError("CULVERT_USAGE", `this transfer was begun into ${target}`, hint);
}

/** @throws CulvertError of what was refused, unless that is what the user wants */
function tellEnd({ output }: Context, { id, record }: Session, isDeclined: boolean): void {
  if (record.phase === "refused") {
    if (!isDeclined) throw refusedBefore(record.refusal ?? 0);
    output.tell("refused", { id }, "refused, and nothing unfinished of it was kept");
    return;
  }
  const { title, totalBytes = 0, target = "" } = record;
  const words = `received ${printable(title)}, ${formatBytes(totalBytes)}, into ${target}`;
  output.tell("received", { id, title, bytes: totalBytes, target }, words);
}

/** Makes the folder if need be, and sees that files can be made in it. */
async function requireWritable(folder: string, { umask }: Context): Promise<string> {
  try {
    await makeFolder(folder, 0o777 & ~umask);
    await access(folder, constants.W_OK | constants.X_OK);
    return folder;
  } catch (error) {
    const hint = "choose another folder with --into";
    throw new CommandError("CULVERT_FILE", `cannot write into ${folder}`, hint, error);
  }
}
