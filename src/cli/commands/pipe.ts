import { CulvertError } from "../../base/index.ts";
import { generateSecret } from "../../stream/index.ts";
import { announce } from "../announce.ts";
import type { CommandOptions } from "../command-options.ts";
import type { RunCommand } from "../command-spec.ts";
import { type MapChoice, requireMap, withMap } from "../connection.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../failure.ts";
import { receivedSample, sentSample } from "../progress-sample.ts";
import { type Session, SessionStore, sessionId } from "../session.ts";
import { drain, print, pumpInput } from "../standard-io.ts";
import { openPeerStream, runStream, sayGoodbye } from "../stream-run.ts";
import { findTicket } from "../ticket-source.ts";

/** Which ways bytes go through this end. */
interface Direction {
  readonly sends: boolean;
  readonly receives: boolean;
}

/** This end of a pipe, and what is kept of it. */
interface End {
  readonly session: Session;
  readonly secret: Uint8Array;
  readonly role: "listener" | "dialer";
}

/** `culvert pipe`: stdin and stdout here, joined with those of the other side. */
export const pipe: RunCommand = async (context, [operand], options) => {
  const { clock } = context;
  const direction = directionOf(options);
  const peerTimeoutMs = options.durationMs("peerTimeout");
  const map = requireMap(context, options);
  const ticket = await findTicket(context, { role: "pipe", operand, options });
  const known = await findEnd(context, {
    map,
    secret: ticket?.secret,
    id: options.text("resume"),
  });
  await withMap(context, map, async (transport) => {
    const end = known ?? (await begin(context, map, ticket?.secret));
    const { session, secret, role } = end;
    let isOver = false;
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
        isOver = (await sayGoodbye(context, stream)) === "over";
      },
    );
    if (isOver) await session.finish();
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
  context: Context,
  wanted: { map: MapChoice; secret: Uint8Array | undefined; id: string | undefined },
): Promise<End | undefined> {
  const { map, secret, id } = wanted;
  const store = new SessionStore(context.paths.sessions, context.clock);
  if (secret !== undefined) {
    const session = await store.resume(sessionId("pipe dialer", secret), map);
    if (session?.record.phase === "done") throw isOver();
    return session && { session, secret, role: "dialer" };
  }
  if (id === undefined) return undefined;
  const session = await store.resume(id, map);
  const record = session?.record.command === "pipe" ? session.record : undefined;
  if (record?.phase === "done") throw isOver();
  const kept = record?.secret;
  if (session === undefined || kept === undefined) {
    const hint = 'see the ids of "culvert status"; an end that had a ticket goes on by the ticket';
    throw new CommandError("CULVERT_USAGE", `there is no pipe "${id}" to go on with`, hint);
  }
  return { session, secret: kept, role: "listener" };
}

function isOver(): CommandError {
  const hint = "it carries nothing more; culvert pipe begins another one";
  return new CommandError("CULVERT_SECRET_USED", "this pipe is over", hint);
}

async function begin(
  context: Context,
  map: MapChoice,
  given: Uint8Array | undefined,
): Promise<End> {
  const store = new SessionStore(context.paths.sessions, context.clock);
  const secret = given ?? generateSecret();
  const role = given === undefined ? "listener" : "dialer";
  const own = given === undefined ? { secret } : {};
  const record = { command: "pipe", title: "pipe", map: map.name, ...own } as const;
  const session = await store.create(sessionId(`pipe ${role}`, secret), record);
  return { session, secret, role };
}
