import { basename, resolve } from "node:path";
import { equalBytes } from "../../base/index.ts";
import { readIfThere } from "../../io/durable-file.ts";
import { generateSecret, type Stream } from "../../stream/index.ts";
import type { Transport } from "../../transport/index.ts";
import { announce } from "../announce.ts";
import type { CommandOptions } from "../command-options.ts";
import type { RunCommand } from "../command-spec.ts";
import { type MapChoice, requireMap, withMap } from "../connection.ts";
import type { Context } from "../context.ts";
import { formatBytes, formatDuration, printable } from "../humanize.ts";
import { sentSample } from "../progress-sample.ts";
import { type Session, SessionStore, sessionId } from "../session.ts";
import { openPeerStream, runStream, sayGoodbye } from "../stream-run.ts";
import { pause } from "../timing.ts";
import { encodeHeader } from "../transfer/manifest.ts";
import { writeTransfer } from "../transfer/sending.ts";
import { changed, type Source, scanSource } from "../transfer/source.ts";
import { TRAILER_BYTES } from "../transfer/transfer-reader.ts";

/** How long a detached transfer is looked after when it has all been stored before. */
const LOOK_MS = 5_000;

/** What is sent. */
interface Parcel {
  readonly paths: readonly string[];
  readonly source: Source;
  readonly header: Uint8Array;
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
  const map = requireMap(context, options);
  const source = await scanSource(operands);
  for (const path of source.skipped) context.output.warn("CULVERT_FILE", `left out: ${path}`);
  const paths = operands.map((path) => resolve(path));
  const parcel = { paths, source, header: encodeHeader(source.manifest), map };
  const found = options.flag("new") ? undefined : await findUnfinished(context, parcel);
  await withMap(context, map, async (transport) => {
    const job = found ?? (await begin(context, parcel));
    await sendParcel(context, { parcel, job, transport, options });
  });
};

async function sendParcel(
  context: Context,
  {
    parcel,
    job,
    transport,
    options,
  }: { parcel: Parcel; job: Job; transport: Transport; options: CommandOptions },
): Promise<void> {
  const { clock, output } = context;
  const { session, secret } = job;
  const { map, source, header } = parcel;
  await announce(context, { ticket: { role: "receive", secret }, map, qr: options.flag("qr") });
  const { startedUnixMs, title, totalBytes = 0, checkpoint } = session.record;
  const age = formatDuration(clock.unixMs() - startedUnixMs);
  if (job.isResumed) output.tell("resumed", { id: session.id }, `going on, begun ${age} ago`);
  let isAcknowledged = false;
  const peerTimeoutMs = options.durationMs("peerTimeout");
  const end = { transport, session, secret, role: "listener", isManual: false } as const;
  await runStream(
    context,
    {
      session,
      open: () => openPeerStream({ ...end, peerTimeoutMs }),
      sample: (stream) => sentSample(stream.progress(), { clock, totalBytes }),
    },
    async (stream) => {
      stream.resume(); // the receiver sends nothing but its end
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
    const rest = "type the same command again to see whether it was received";
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

/**
 * The unfinished transfer of the same paths by the same Map, if there is one.
 *
 * @throws CulvertError `CULVERT_FILE` when the files are no longer what they were
 */
async function findUnfinished(context: Context, parcel: Parcel): Promise<Job | undefined> {
  const store = new SessionStore(context.paths.sessions, context.clock);
  for (const session of await store.list()) {
    const { command, phase, paths, map, secret } = session.record;
    if (command !== "send" || phase !== "open" || secret === undefined) continue;
    if (map !== parcel.map.name || paths?.join("\0") !== parcel.paths.join("\0")) continue;
    const header = await readIfThere(session.headerPath);
    if (header === undefined || !equalBytes(header, parcel.header)) throw changed("what is sent");
    return { session, secret, isResumed: true };
  }
  return undefined;
}

async function begin(context: Context, { paths, source, header, map }: Parcel): Promise<Job> {
  const secret = generateSecret();
  const [first = "", ...more] = paths.map((path) => basename(path));
  const title = more.length === 0 ? first : `${first} and ${more.length} more`;
  const totalBytes = header.length + source.manifest.contentBytes + TRAILER_BYTES;
  const store = new SessionStore(context.paths.sessions, context.clock);
  const record = { command: "send", title, map: map.name, secret, paths, totalBytes } as const;
  const session = await store.create(sessionId("send", secret), record, header);
  return { session, secret, isResumed: false };
}
