import { generateSecret } from "../../stream/index.ts";
import type { MapChoice } from "../connection/connection.ts";
import { CommandError } from "../failure.ts";
import { type Session, type SessionStore, sessionId } from "./session.ts";

/** One end of a pipe or a forward, and what is kept of it. */
export interface StreamEnd {
  readonly session: Session;
  readonly secret: Uint8Array;
  readonly role: "listener" | "dialer";
}

const SEE_STATUS = 'see the ids of "culvert status"';
const SEE_STATUS_OR_TICKET = `${SEE_STATUS}; an end that had a ticket goes on by the ticket`;

/**
 * What this user began with `command` and made the ticket of, by the id that `--resume` names.
 *
 * @throws CulvertError `CULVERT_USAGE` when there is no such work, as {@link SessionStore.resume}
 */
export async function resumeById(
  store: SessionStore,
  wanted: { command: "pipe" | "forward" | "broadcast"; id: string; map: MapChoice },
): Promise<{ session: Session; secret: Uint8Array }> {
  const { command, id, map } = wanted;
  const session = await store.resume(id, map);
  if (session?.record.command === command) {
    const { phase, secret } = session.record;
    if (phase === "done") throw isOver(command);
    if (secret !== undefined) return { session, secret };
  }
  const hint = command === "broadcast" ? SEE_STATUS : SEE_STATUS_OR_TICKET;
  throw new CommandError("CULVERT_USAGE", `there is no ${command} "${id}" to go on with`, hint);
}

/** The error for work of which nothing is left to be done. */
export function isOver(command: string): CommandError {
  const hint = `it carries nothing more; culvert ${command} begins another one`;
  return new CommandError("CULVERT_SECRET_USED", `this ${command} is over`, hint);
}

/** The end that this ticket has begun before, or a new one; without a ticket, one that makes it. */
export async function beginEnd(
  store: SessionStore,
  wanted: { command: "pipe" | "forward"; map: MapChoice; ticket: Uint8Array | undefined },
): Promise<StreamEnd> {
  const { command, map, ticket } = wanted;
  const secret = ticket ?? generateSecret();
  const role = ticket === undefined ? "listener" : "dialer";
  const id = sessionId(`${command} ${role}`, secret);
  const own = ticket === undefined ? { secret } : {};
  const record = { command, title: command, map: map.name, ...own };
  const session = (await store.resume(id, map)) ?? (await store.create(id, record));
  return { session, secret, role };
}
