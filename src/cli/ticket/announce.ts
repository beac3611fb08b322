import type { MapChoice } from "../connection/connection.ts";
import type { Context } from "../context.ts";
import { formatTicket, type Ticket } from "./ticket.ts";

/**
 * Says what the other side has to type, on a line of its own, so that it can be copied whole; with
 * `qr` the ticket as a QR code as well.
 */
export async function announce(
  { output }: Context,
  invitation: {
    ticket: Ticket;
    /** Of the session, for who goes on with it by --resume. */
    id: string;
    map: MapChoice;
    flags?: string | undefined;
    qr: boolean;
  },
): Promise<void> {
  const ticket = formatTicket(invitation.ticket);
  const { role } = invitation.ticket;
  const flags = invitation.flags === undefined ? "" : `${invitation.flags} `;
  const command = `culvert ${role} ${flags}${ticket} ${invitation.map.flags}`;
  const heading = "On the other side, type (whoever has this line can read everything):";
  output.tell(
    "ticket",
    { id: invitation.id, ticket, command },
    `${heading}\n\n${output.bold(command)}\n`,
  );
  if (!invitation.qr) return;
  const { renderUnicodeCompact } = await import("uqr");
  // Capitals are half as large in a QR code, and mean the same.
  output.tell("qr", {}, renderUnicodeCompact(ticket.toUpperCase(), { border: 2 }));
}
