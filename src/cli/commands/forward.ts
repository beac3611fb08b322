import { once } from "node:events";
import { CulvertError } from "../../base/index.ts";
import { type Endpoint, parseEndpoint } from "../../io/endpoint.ts";
import { generateSecret } from "../../stream/index.ts";
import { announce } from "../announce.ts";
import type { CommandOptions } from "../command-options.ts";
import type { RunCommand } from "../command-spec.ts";
import { type MapChoice, requireMap, withMap } from "../connection.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../failure.ts";
import { Forwarding } from "../forward/forwarding.ts";
import { sentSample } from "../progress-sample.ts";
import { type Session, SessionStore, sessionId } from "../session.ts";
import { openPeerStream, runStream } from "../stream-run.ts";
import { findTicket } from "../ticket-source.ts";

/** Nobody is given up: the other side may be away for days. */
const QUIETLY = { isManual: false, peerTimeoutMs: undefined } as const;

/** One end, and what is kept of it. */
interface End {
  readonly session: Session;
  /** Whether its secret has just been made, so that nobody has a ticket of it. */
  readonly isUnshared: boolean;
  readonly secret: Uint8Array;
  readonly role: "listener" | "dialer";
}

/** `culvert forward`: TCP and UNIX connections from here to there, or from there to here. */
export const forward: RunCommand = async (context, [operand], options) => {
  const { output, stop } = context;
  const [listen, target] = [endpointOf(options, "listen"), endpointOf(options, "to")];
  if (listen === undefined && target === undefined) {
    const hint = "--listen takes connections here, --to says where those of the other side go";
    throw new CommandError("CULVERT_USAGE", "forward what?", hint);
  }
  const map = requireMap(context, options);
  const ticket = await findTicket(context, { role: "forward", operand, options });
  await withMap(context, map, async (transport) => {
    const { session, isUnshared, secret, role } = await endOf(context, {
      map,
      given: ticket?.secret,
      resume: options.text("resume"),
    });
    let forwarding: Forwarding | undefined;
    const running = runStream(
      context,
      {
        session,
        open: () => openPeerStream({ transport, session, secret, role, ...QUIETLY }),
        introduce: async (stream) => {
          // Where it cannot listen, nobody is to have a ticket of it.
          forwarding = await Forwarding.start({
            ...{ secret, role, stream, listen, target },
            tell: (...event) => tell(context, ...event),
          });
          if (role === "dialer") return;
          await announce(context, {
            ticket: { role: "forward", secret },
            id: session.id,
            map,
            flags: counterpart(listen, target),
            qr: options.flag("qr"),
          });
        },
        sample: (stream) => sentSample(stream.progress(), context),
      },
      async (stream) => {
        const endpoint = forwarding?.endpoint;
        if (endpoint !== undefined) {
          output.tell("listening", { endpoint }, `connections to ${endpoint} go to the other side`);
        }
        try {
          if (stream.errored !== null) throw stream.errored;
          if (!stream.closed) await once(stream, "close");
        } finally {
          await forwarding?.close();
        }
        stop.throwIfAborted();
      },
    );
    await running.catch(async (error: unknown) => {
      // It could not even listen: the same words begin anew, with another ticket.
      if (isUnshared && forwarding === undefined && !stop.aborted) await session.forget();
      throw error;
    });
  });
};

function tell({ output }: Context, event: string, where: string, reason?: string): void {
  const why = reason === undefined ? "" : ` (${reason})`;
  const words = {
    open: `a connection: ${where}`,
    closed: `a connection is over: ${where}`,
    refused: `a connection was cut: ${where}${why}`,
    peer: "the other side is there",
  }[event];
  output.tell("connection", { what: event, where, reason: reason ?? null }, words ?? event);
}

function endpointOf(options: CommandOptions, name: string): Endpoint | undefined {
  const text = options.text(name);
  if (text === undefined) return undefined;
  const endpoint = parseEndpoint(text);
  if (endpoint !== undefined) return endpoint;
  throw new CulvertError("CULVERT_USAGE", `"${text}" is no endpoint: HOST:PORT or unix:PATH`);
}

/** What the other side has to add: it takes connections if we do not, and the other way round. */
function counterpart(listen: Endpoint | undefined, target: Endpoint | undefined): string {
  const words = [
    ...(target === undefined ? [] : ["--listen 127.0.0.1:0"]),
    ...(listen === undefined ? [] : ["--to HOST:PORT"]),
  ];
  return words.join(" ");
}

/** The end that was begun before, by the ticket or by `--resume`, or a new one. */
async function endOf(
  context: Context,
  wanted: { map: MapChoice; given: Uint8Array | undefined; resume: string | undefined },
): Promise<End> {
  const store = new SessionStore(context.paths.sessions, context.clock);
  const { map, given, resume } = wanted;
  if (resume !== undefined) {
    const session = await store.resume(resume, map);
    const secret = session?.record.command === "forward" ? session.record.secret : undefined;
    if (session !== undefined && secret !== undefined) {
      return { session, isUnshared: false, secret, role: "listener" };
    }
    const hint = 'see the ids of "culvert status"; an end that had a ticket goes on by the ticket';
    throw new CommandError("CULVERT_USAGE", `there is no forward "${resume}" to go on with`, hint);
  }
  const secret = given ?? generateSecret();
  const role = given === undefined ? "listener" : "dialer";
  const id = sessionId(`forward ${role}`, secret);
  const own = given === undefined ? { secret } : {};
  const record = { command: "forward", title: "forward", map: map.name, ...own } as const;
  const session = (await store.resume(id, map)) ?? (await store.create(id, record));
  return { session, isUnshared: given === undefined, secret, role };
}
