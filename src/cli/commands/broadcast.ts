import { once } from "node:events";
import { Broadcast, generateCapability } from "../../stream/index.ts";
import type { CommandOptions } from "../arguments/command-options.ts";
import type { RunCommand } from "../arguments/command-spec.ts";
import { type MapChoice, requireMap, withMap } from "../connection/connection.ts";
import type { Context } from "../context.ts";
import { formatBytes } from "../humanize.ts";
import { type Session, SessionStore, sessionId } from "../session/session.ts";
import { resumeById } from "../session/stream-end.ts";
import { runStream } from "../session/stream-run.ts";
import { broadcastSample } from "../terminal/progress-sample.ts";
import { pumpInput } from "../terminal/standard-io.ts";
import { announce } from "../ticket/announce.ts";

/** A broadcast, and the right to write it. */
interface Job {
  readonly session: Session;
  readonly capability: Uint8Array;
}

/** `culvert broadcast`: stdin to any number of subscribers. */
export const broadcast: RunCommand = async (context, _operands, options) => {
  const { output, stop } = context;
  const map = requireMap(context, options);
  const found = await findJob(context, map, options);
  await withMap(context, map, async (transport) => {
    const { session, capability } = found ?? (await begin(context, map));
    const store = session.journals;
    await runStream(
      context,
      {
        session,
        open: () => Broadcast.open({ transport, store, capability }),
        introduce: async (stream) => {
          const secret = stream.capabilityAtStart().toBytes();
          const ticket = { role: "subscribe", secret } as const;
          await announce(context, { ticket, id: session.id, map, qr: options.flag("qr") });
        },
        sample: (stream: Broadcast) => broadcastSample(stream.progress()),
      },
      async (stream) => {
        if (stream.writableEnded) return await keepAlive(context, stream);
        await pumpInput(context, stream);
        await stream.close({ signal: stop });
      },
    );
    const { id, record } = session;
    const what = `${formatBytes(record.doneBytes)} are in the Map for a week`;
    const more = `culvert broadcast --resume ${id} keeps them there for longer`;
    output.tell("stored", { id, bytes: record.doneBytes }, `${what}; ${more}`);
  });
};

/** It was ended before: puts again what is about to expire, until it is told to stop. */
async function keepAlive({ output, stop }: Context, stream: Broadcast): Promise<void> {
  output.tell("kept", {}, "it has ended; kept in the Map for as long as this runs");
  await once(stream, "close", { signal: stop });
}

async function findJob(
  context: Context,
  map: MapChoice,
  options: CommandOptions,
): Promise<Job | undefined> {
  const id = options.text("resume");
  if (id === undefined) return undefined;
  const store = new SessionStore(context.paths.sessions, context.clock);
  const { session, secret } = await resumeById(store, { command: "broadcast", id, map });
  return { session, capability: secret };
}

async function begin(context: Context, map: MapChoice): Promise<Job> {
  const capability = generateCapability().toBytes();
  const store = new SessionStore(context.paths.sessions, context.clock);
  const record = {
    command: "broadcast",
    title: "broadcast",
    map: map.name,
    secret: capability,
  } as const;
  const session = await store.create(sessionId("broadcast", capability), record);
  return { session, capability };
}
