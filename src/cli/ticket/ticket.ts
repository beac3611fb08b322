import { bech32m } from "@scure/base";
import { assert, CulvertError } from "../../base/index.ts";

/** What the holder of a ticket can do with it; each role is the name of the command to type. */
export type TicketRole = "receive" | "pipe" | "subscribe" | "forward";

/** What one peer hands to the other, over a channel they trust. All of it is secret. */
export interface Ticket {
  readonly role: TicketRole;
  /** The stream's secret; for `subscribe`, the capability to read and nothing else. */
  readonly secret: Uint8Array;
}

const PREFIX = "culvert";
const VERSION = 1;

/** The number of each role on the wire, and how many bytes of secret go with it. */
const ROLES: readonly { role: TicketRole; code: number; secretBytes: number }[] = [
  { role: "receive", code: 1, secretBytes: 32 },
  { role: "pipe", code: 2, secretBytes: 32 },
  { role: "subscribe", code: 3, secretBytes: 136 },
  { role: "forward", code: 4, secretBytes: 32 },
];

/** No ticket is longer; a longer text is refused unread. */
const TICKET_CHARACTERS_MAX = 400;

/**
 * The text form: bech32m (BIP 350) of version, role and secret. 69 characters for a stream: short
 * enough for bech32m to be certain of finding up to four mistyped ones, and for a small QR code.
 */
export function formatTicket(ticket: Ticket): string {
  const kind = ROLES.find(({ role }) => role === ticket.role);
  assert(kind?.secretBytes === ticket.secret.length, "the secret has the length of its role");
  const bytes = Uint8Array.of(VERSION, kind.code, ...ticket.secret);
  return bech32m.encode(PREFIX, bech32m.toWords(bytes), TICKET_CHARACTERS_MAX);
}

/**
 * Reads a ticket as it was pasted: upper or lower case, broken over lines or not.
 *
 * @throws CulvertError `CULVERT_BAD_TICKET`, before anything is asked of the network
 */
export function parseTicket(text: string): Ticket {
  const bytes = decodeBytes(text.replace(/\s+/g, "").toLowerCase());
  const [version, code] = bytes;
  if (version !== VERSION) throw bad(`the ticket is of version ${version}, not ${VERSION}`);
  const kind = ROLES.find((candidate) => candidate.code === code);
  if (kind === undefined) throw bad("the ticket is for a command that this version does not have");
  const secret = bytes.slice(2);
  if (secret.length !== kind.secretBytes) throw bad("the ticket is not as long as it has to be");
  return { role: kind.role, secret };
}

/** @throws CulvertError `CULVERT_WRONG_ROLE` naming the command that the ticket is for */
export function requireRole(ticket: Ticket, role: TicketRole): Ticket {
  if (ticket.role === role) return ticket;
  throw new CulvertError(
    "CULVERT_WRONG_ROLE",
    `this ticket is for "culvert ${ticket.role}", not for "culvert ${role}"`,
    { detail: { role: ticket.role } },
  );
}

function decodeBytes(text: string): Uint8Array {
  if (text === "") throw bad("the ticket is empty");
  if (!text.startsWith(`${PREFIX}1`)) throw bad(`a ticket begins with "${PREFIX}1"; this does not`);
  if (text.length > TICKET_CHARACTERS_MAX) throw bad("this is too long to be a ticket");
  const decoded = bech32m.decodeUnsafe(text, TICKET_CHARACTERS_MAX);
  if (!decoded) throw bad("the ticket has a typo, or a part of it is missing");
  const bytes = bech32m.fromWordsUnsafe(decoded.words);
  if (!bytes) throw bad("the ticket is not as long as it has to be");
  return bytes;
}

function bad(message: string): CulvertError {
  return new CulvertError("CULVERT_BAD_TICKET", message);
}
