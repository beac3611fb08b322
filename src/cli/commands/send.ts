import { basename, resolve } from "node:path";
import { type CulvertError, isCulvertError, pause } from "../../base/index.ts";
import { generateSecret, type Stream } from "../../stream/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { CommandOptions } from "../arguments/command-options.ts";
import type { RunCommand } from "../arguments/command-spec.ts";
import { type MapChoice, requireMap, withMap } from "../connection/connection.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../failure.ts";
import { formatBytes, formatDuration, printable } from "../humanize.ts";
import { type Session, SessionStore, sessionId } from "../session/session.ts";
import { openPeerStream, runStream, sayGoodbye } from "../session/stream-run.ts";
import { sentSample } from "../terminal/progress-sample.ts";
import { announce } from "../ticket/announce.ts";
import { encodeHeader, titleOf } from "../transfer/manifest.ts";
import { refusedBy } from "../transfer/refusal.ts";
import { writeTransfer } from "../transfer/sending.ts";
import { type Source, scanSource } from "../transfer/source.ts";
import { hearStandstills } from "../transfer/standstill.ts";
import { transferBytes } from "../transfer/transfer-reader.ts";
import { findUnfinished, type Sent } from "../transfer/unfinished.ts";

/** How long a detached transfer is looked after when it has all been stored before. */
const LOOK_MS = 5_000;

/** What is sent. */
interface Parcel extends Sent {
  readonly source: Source;
  readonly map: MapChoice;
}

/** What is kept of sending it. */
interface Job {
  readonly session: Session;
  readonly secret: Uint8Array;
  readonly isResumed: boolean;
}

/** `culvert send`: files and folders to one receiver. */
export const send: RunCommand = async (context, operands, options) => {
  const peerTimeoutMs = options.durationMs("peerTimeout");
  const map = requireMap(context, options);
  const source = await scanSource(operands);
  for (const path of source.skipped) {
    context.output.warn("CULVERT_FILE", `left out, neither a file nor a folder: ${path}`);
  }
  const paths = operands.map((path) => resolve(path));
  const parcel = { paths, source, header: encodeHeader(source.manifest), map };
  const store = new SessionStore(context.paths.sessions, context.clock);
  const unfinished = options.flag("new")
    ? undefined
    : await findUnfinished(store, parcel, (id, { code, message }) => {
        const way = `if that was this transfer, it begins anew; culvert status --forget ${id}`;
        context.output.warn(code, `${message}; ${way} removes what is left of it`);
      });
  await withMap(context, map, async (transport) => {
    const job = unfinished ? { ...unfinished, isResumed: true } : await begin(context, parcel);
    try {
      await sendParcel(context, { parcel, job, transport, options, peerTimeoutMs });
    } catch (error) {
      if (isCulvertError(error, "CULVERT_STATE_IN_USE")) throw sentAlready(error);
      if (!isCulvertError(error, "CULVERT_PEER_ABORTED")) throw error;
      await job.session.finish("refused");
      throw refusedBy(error);
    }
  });
};

/** Whoever wants to send it to one more would stop the other process in vain. */
function sentAlready(error: CulvertError): CommandError {
  const hint = "stop that one to go on here, or add --new to send it to somebody else, too";
  return new CommandError(error.code, "another process is sending this", hint, error);
}

async function sendParcel(
  context: Context,
  {
    parcel,
    job,
    transport,
    options,
    peerTimeoutMs,
  }: {
    parcel: Parcel;
    job: Job;
    transport: Transport;
    options: CommandOptions;
    peerTimeoutMs: number | undefined;
  },
): Promise<void> {
  const { clock, output } = context;
  const { session, secret } = job;
  const { map, source, header } = parcel;
  const { startedUnixMs, title, totalBytes = 0, checkpoint } = session.record;
  let isAcknowledged = false;
  const end = { transport, session, secret, role: "listener", isManual: false } as const;
  const wayOn = options.flag("new") ? "the same command without --new" : undefined;
  await runStream(
    context,
    {
      session,
      open: () => openPeerStream({ ...end, peerTimeoutMs }),
      introduce: async () => {
        const ticket = { role: "receive", secret } as const;
        await announce(context, { ticket, id: session.id, map, qr: options.flag("qr") });
        const age = formatDuration(clock.unixMs() - startedUnixMs);
        if (job.isResumed) output.tell("resumed", { id: session.id }, `going on, begun ${age} ago`);
      },
      sample: (stream) => sentSample(stream.progress(), { clock, totalBytes }),
      wayOn,
    },
    async (stream) => {
      hearStandstills(context, { session, stream });
      const saveCheckpoint = async (note: typeof checkpoint): Promise<void> => {
        if (note !== undefined) await session.save({ checkpoint: note });
      };
      const { stop: signal } = context;
      await writeTransfer({ stream, source, header, checkpoint, saveCheckpoint, signal });
      const isDetached = options.flag("detach");
      isAcknowledged = isDetached ? await look(context, stream, job) : await wait(stream, signal);
      if (isAcknowledged) await sayGoodbye(context, stream, { isPeerDone: true });
    },
  );
  const facts = { id: session.id, title, bytes: totalBytes };
  const what = `${printable(title)}, ${formatBytes(totalBytes)}`;
  if (isAcknowledged) {
    await session.finish();
    output.tell("sent", facts, `sent ${what}: received, compared and in its place`);
  } else {
    const rest = `type ${wayOn ?? "the same command again"} to see whether it was received`;
    output.tell("stored", facts, `stored ${what}: you may leave; ${rest}`);
  }
}

/** Waits until all is acknowledged. */
async function wait(stream: Stream, signal: AbortSignal): Promise<true> {
  await stream.sync({ signal });
  return true;
}

/** Waits until all is in the Map; if it was before, looks for a while what became of it. */
async function look({ clock, stop }: Context, stream: Stream, job: Job): Promise<boolean> {
  await stream.close({ signal: stop });
  const nothingHeard = pause(clock, job.isResumed ? LOOK_MS : 0).then(() => false);
  return await Promise.race([wait(stream, stop), nothingHeard]);
}

async function begin(context: Context, { paths, source, header, map }: Parcel): Promise<Job> {
  const secret = generateSecret();
  const title = titleOf(paths.map((path) => basename(path)));
  const totalBytes = transferBytes(header, source.manifest);
  const store = new SessionStore(context.paths.sessions, context.clock);
  const record = { command: "send", title, map: map.name, secret, paths, totalBytes } as const;
  const session = await store.create(sessionId("send", secret), record, header);
  return { session, secret, isResumed: false };
}
