import { once } from "node:events";
import { type Endpoint, requireEndpoint } from "../../io/endpoint.ts";
import type { CommandOptions } from "../arguments/command-options.ts";
import type { RunCommand } from "../arguments/command-spec.ts";
import { type MapChoice, requireMap, withMap } from "../connection/connection.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../failure.ts";
import { Forwarding } from "../forward/forwarding.ts";
import { SessionStore } from "../session/session.ts";
import { beginEnd, resumeById, type StreamEnd } from "../session/stream-end.ts";
import { leaveFarewell, openPeerStream, runStream } from "../session/stream-run.ts";
import { sentSample } from "../terminal/progress-sample.ts";
import { announce } from "../ticket/announce.ts";
import { findTicket } from "../ticket/ticket-source.ts";

/** Nobody is given up: the other side may be away for days. */
const QUIETLY = { isManual: false, peerTimeoutMs: undefined } as const;

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
    const id = options.text("resume");
    const { session, secret, role } = await endOf(context, { map, ticket: ticket?.secret, id });
    // Its secret has just been made: nobody has a ticket of it.
    const isUnshared = id === undefined && ticket === undefined;
    let forwarding: Forwarding | undefined;
    const running = runStream(
      context,
      {
        session,
        open: () => openPeerStream({ transport, session, secret, role, ...QUIETLY }),
        introduce: async (stream) => {
          // Where it cannot listen, nobody is to have a ticket of it.
          forwarding = await Forwarding.start({
            secret,
            role,
            stream,
            listen,
            target,
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
        farewell: async (stream) => {
          await forwarding?.close();
          if (await leaveFarewell(context, stream)) return;
          output.note("the other side could not be told: its connections hang until this goes on");
        },
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
    left: "the other side has left: new connections wait until it is back",
  }[event];
  output.tell("connection", { what: event, where, reason: reason ?? null }, words ?? event);
}

function endpointOf(options: CommandOptions, name: string): Endpoint | undefined {
  const text = options.text(name);
  return text === undefined ? undefined : requireEndpoint(text);
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
  wanted: { map: MapChoice; ticket: Uint8Array | undefined; id: string | undefined },
): Promise<StreamEnd> {
  const store = new SessionStore(context.paths.sessions, context.clock);
  const { map, ticket, id } = wanted;
  if (id === undefined) return await beginEnd(store, { command: "forward", map, ticket });
  return { ...(await resumeById(store, { command: "forward", id, map })), role: "listener" };
}
