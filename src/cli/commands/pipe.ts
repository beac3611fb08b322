import { CulvertError } from "../../base/index.ts";
import type { CommandOptions } from "../arguments/command-options.ts";
import type { RunCommand } from "../arguments/command-spec.ts";
import { type MapChoice, requireMap, withMap } from "../connection/connection.ts";
import { SessionStore, sessionId } from "../session/session.ts";
import { beginEnd, isOver, resumeById, type StreamEnd } from "../session/stream-end.ts";
import { openPeerStream, runStream, sayGoodbye } from "../session/stream-run.ts";
import { requireOpenOutput } from "../terminal/closed-output.ts";
import { receivedSample, sentSample } from "../terminal/progress-sample.ts";
import { drain, print, pumpInput } from "../terminal/standard-io.ts";
import { announce } from "../ticket/announce.ts";
import { findTicket } from "../ticket/ticket-source.ts";

/** Which ways bytes go through this end. */
interface Direction {
  readonly sends: boolean;
  readonly receives: boolean;
}

/** `culvert pipe`: stdin and stdout here, joined with those of the other side. */
export const pipe: RunCommand = async (context, [operand], options) => {
  const { clock } = context;
  const direction = directionOf(options);
  const peerTimeoutMs = options.durationMs("peerTimeout");
  const map = requireMap(context, options);
  if (direction.receives) requireOpenOutput(context);
  const ticket = await findTicket(context, { role: "pipe", operand, options });
  const store = new SessionStore(context.paths.sessions, clock);
  const known = await findEnd(store, { map, secret: ticket?.secret, id: options.text("resume") });
  await withMap(context, map, async (transport) => {
    const begun = { command: "pipe", map, ticket: ticket?.secret } as const;
    const { session, secret, role } = known ?? (await beginEnd(store, begun));
    let isDone = false;
    const sampleOf = direction.sends ? sentSample : receivedSample;
    await runStream(
      context,
      {
        session,
        open: () =>
          openPeerStream({ transport, session, secret, role, isManual: true, peerTimeoutMs }),
        introduce: async () => {
          if (role === "dialer") return;
          await announce(context, {
            ticket: { role: "pipe", secret },
            id: session.id,
            map,
            flags: counterpart(direction),
            qr: options.flag("qr"),
          });
        },
        sample: (stream) => sampleOf(stream.progress(), { clock }),
      },
      async (stream) => {
        const take = direction.receives ? (chunk: Uint8Array) => print(context, chunk) : undefined;
        // What an earlier run has read to its end has no more to come.
        const isOpen = direction.sends && !stream.writableEnded;
        const input = isOpen ? pumpInput(context, stream) : stream.end();
        await Promise.all([input, drain(stream, take)]);
        // Who only receives owes nobody anything: the other side may be away.
        if (direction.sends) await stream.sync({ signal: context.stop });
        isDone = (await sayGoodbye(context, stream)) === "over";
      },
    );
    if (isDone) await session.finish();
  });
};

function directionOf(options: CommandOptions): Direction {
  const [sendOnly, receiveOnly] = [options.flag("sendOnly"), options.flag("receiveOnly")];
  if (sendOnly && receiveOnly) {
    throw new CulvertError("CULVERT_USAGE", "--send-only and --receive-only exclude each other");
  }
  return { sends: !receiveOnly, receives: !sendOnly };
}

/** What the other side has to add to its command. */
function counterpart({ sends, receives }: Direction): string | undefined {
  if (sends && receives) return undefined;
  return sends ? "--receive-only" : "--send-only";
}

/** The end that was begun before: by the same ticket, or by the id that `--resume` names. */
async function findEnd(
  store: SessionStore,
  wanted: { map: MapChoice; secret: Uint8Array | undefined; id: string | undefined },
): Promise<StreamEnd | undefined> {
  const { map, secret, id } = wanted;
  if (secret !== undefined) {
    const session = await store.resume(sessionId("pipe dialer", secret), map);
    if (session?.record.phase === "done") throw isOver("pipe");
    return session && { session, secret, role: "dialer" };
  }
  if (id === undefined) return undefined;
  return { ...(await resumeById(store, { command: "pipe", id, map })), role: "listener" };
}
