import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { unreachable } from "../../base/index.ts";
import type { RunCommand } from "../command-spec.ts";
import { requireMap, withMap } from "../connection.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../failure.ts";
import { formatBytes, printable } from "../humanize.ts";
import { makeFolder } from "../make-folder.ts";
import { receivedSample } from "../progress-sample.ts";
import { type Session, SessionStore, sessionId } from "../session.ts";
import { openPeerStream, runStream } from "../stream-run.ts";
import { requireTicket } from "../ticket-source.ts";
import { Reception } from "../transfer/reception.ts";
import { refusedBefore } from "../transfer/refusal.ts";

/** `culvert receive`: what someone sends. */
export const receive: RunCommand = async (context, [operand], options) => {
  const { clock, paths, output } = context;
  const peerTimeoutMs = options.durationMs("peerTimeout");
  const { secret } = await requireTicket(context, { role: "receive", operand, options });
  const map = requireMap(context, options);
  const target = await requireWritable(resolve(options.text("into") ?? "."), context);
  const store = new SessionStore(paths.sessions, clock);
  const id = sessionId("receive", secret);
  const found = await store.resume(id, map);
  if (found !== undefined && isOver(found, target)) return tellReceived(context, found);
  await withMap(context, map, async (transport) => {
    const begun = { command: "receive", title: "(not known yet)", map: map.name } as const;
    const session = found ?? (await store.create(id, begun));
    const isForced = options.flag("force");
    const reception = new Reception({ context, session, target, isForced });
    const end = { transport, session, secret, role: "dialer", isManual: true } as const;
    await runStream(
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
    tellReceived(context, session);
    if (reception.goodbye === "over") return await session.finish();
    const note =
      reception.goodbye === "told"
        ? "the sender will learn of it when it comes back"
        : "the sender cannot know it yet: type the same command again to tell it";
    output.note(note);
  });
};

/** True when there is nothing left to do. */
function isOver({ id, record }: Session, target: string): boolean {
  switch (record.phase) {
    case "done":
      return true;
    case "refused":
      throw refusedBefore(record.refusal ?? 0);
    case "open":
    case "verified":
    case "placed":
      if (record.target === undefined || record.target === target) return false;
      throw new CommandError(
        "CULVERT_USAGE",
        `this transfer was begun into ${record.target}`,
        `go on with --into ${record.target}, or forget it: culvert status --forget ${id}`,
      );
    default:
      return unreachable(record.phase);
  }
}

function tellReceived({ output }: Context, { id, record }: Session): void {
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
