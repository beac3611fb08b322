import type { RunCommand } from "../arguments/command-spec.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../failure.ts";
import { formatBytes, formatDuration, formatShare, printable } from "../humanize.ts";
import { type Session, SessionStore } from "../session/session.ts";
import type { EventFields } from "../terminal/output.ts";
import { forgetCopies } from "../transfer/forget-copies.ts";
import { describeStandstill, standstillNow } from "../transfer/standstill.ts";

/** Of the longest age: `59 min 59 s ago`. */
const AGE_COLUMNS = 15;

/** `culvert status`: what is unfinished, and what was finished lately. */
export const status: RunCommand = async (context, _operands, options) => {
  const { output, paths, clock } = context;
  const store = new SessionStore(paths.sessions, clock);
  const forget = options.text("forget");
  if (forget !== undefined) return await forgetOne(context, store, forget);
  const sessions = await store.list((id, error) =>
    output.warn(error.code, `${id}: ${error.message}`),
  );
  if (output.isJson) {
    for (const session of sessions) output.tell("session", describe(session));
    return;
  }
  for (const session of sessions) output.payload(`${line(session, clock.unixMs())}\n`);
  if (sessions.length === 0) output.tell("none", {}, "nothing is unfinished");
};

async function forgetOne({ output }: Context, store: SessionStore, id: string): Promise<void> {
  if (!(await store.forget(id, forgetCopies))) {
    const hint = 'see the ids of "culvert status"';
    throw new CommandError("CULVERT_USAGE", `there is nothing with the id "${id}"`, hint);
  }
  output.tell("forgotten", { id }, `forgot ${id}`);
}

function describe({ id, record }: Session): EventFields {
  const { command, phase, title, map, startedUnixMs, updatedUnixMs, doneBytes } = record;
  const { totalBytes = null, target = null } = record;
  const times = { startedUnixMs, updatedUnixMs };
  const standstill = standstillNow(record, doneBytes) ?? null;
  return { id, command, phase, title, map, target, totalBytes, doneBytes, ...times, standstill };
}

/** `0a1b2c3d4e5f  send     41 %  3 min ago  photos, over unix:/run/map.sock` */
function line({ id, record }: Session, nowUnixMs: number): string {
  const { command, phase, title, map, totalBytes, doneBytes } = record;
  const share =
    totalBytes === undefined ? formatBytes(doneBytes) : formatShare(doneBytes, totalBytes);
  const state = phase === "done" || phase === "refused" ? phase : share;
  const age = `${formatDuration(nowUnixMs - record.updatedUnixMs)} ago`;
  const reason = phase === "open" ? standstillNow(record, doneBytes) : undefined;
  const why = reason === undefined ? "" : ` (${describeStandstill(reason)})`;
  const what = `${printable(title)}, over ${printable(map)}${why}`;
  return `${id}  ${command.padEnd(9)}  ${state.padStart(7)}  ${age.padStart(AGE_COLUMNS)}  ${what}`;
}
