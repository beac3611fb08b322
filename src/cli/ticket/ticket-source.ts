import { open } from "node:fs/promises";
import { addAbortSignal } from "node:stream";
import type { CommandOptions } from "../arguments/command-options.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../failure.ts";
import { ask } from "../terminal/question.ts";
import { parseTicket, requireRole, type Ticket, type TicketRole } from "./ticket.ts";

/** More than any ticket has; what comes after is not read. */
const TEXT_BYTES_MAX = 4096;

const WAYS = "give it as an operand, with --ticket-file, in CULVERT_TICKET, or on stdin with -";

const RESUMED = "the end that had a ticket goes on by it; --resume is for the end that made it";

const NOTE = "a ticket typed as an operand stays in the shell's history; --ticket-file does not";

/** Which ticket is wanted, and what was typed. */
export interface TicketRequest {
  readonly role: TicketRole;
  readonly operand: string | undefined;
  readonly options: CommandOptions;
}

/**
 * Finds the ticket for a command: as an operand, `-` for stdin, `--ticket-file`, or
 * `CULVERT_TICKET`; `undefined` when it is in none of these, or when `--resume` names what is to
 * go on.
 *
 * @throws CulvertError `CULVERT_BAD_TICKET`, `CULVERT_WRONG_ROLE` or `CULVERT_USAGE`
 */
export async function findTicket(
  context: Context,
  request: TicketRequest,
): Promise<Ticket | undefined> {
  const text = await findText(context, request);
  return text === undefined ? undefined : requireRole(parseTicket(text), request.role);
}

/** As {@link findTicket}; asks for it on the terminal when it was not given. */
export async function requireTicket(context: Context, request: TicketRequest): Promise<Ticket> {
  const found = await findTicket(context, request);
  if (found !== undefined) return found;
  if (context.stdin.isTTY !== true || !context.output.isInteractive) {
    throw new CommandError("CULVERT_USAGE", "a ticket is needed", WAYS);
  }
  const typed = await ask(context, "ticket (not shown): ", { isSecret: true });
  return requireRole(parseTicket(typed), request.role);
}

async function findText(
  { output, env, stdin, stop }: Context,
  { operand, options }: TicketRequest,
): Promise<string | undefined> {
  const file = options.text("ticketFile");
  if (options.text("resume") !== undefined) {
    // The end that it names has made the ticket; the variable may have one of another end.
    if (operand === undefined && file === undefined) return undefined;
    throw new CommandError("CULVERT_USAGE", "--resume and a ticket exclude each other", RESUMED);
  }
  if (operand !== undefined && file !== undefined) {
    throw new CommandError("CULVERT_USAGE", "two tickets were given", WAYS);
  }
  if (operand === "-") {
    // Like every reader of stdin it waits for the end: a ticket may be broken over lines.
    if (stdin.isTTY === true) output.note("type the ticket, then Enter and Ctrl-D");
    return await readStart(stdin, stop);
  }
  if (file !== undefined) return await readFile(file);
  if (operand === undefined) {
    const { CULVERT_TICKET } = env;
    return CULVERT_TICKET === "" ? undefined : CULVERT_TICKET;
  }
  output.note(NOTE);
  return operand;
}

/** @throws the reason of `stop`, which a person may have for whom nothing comes */
async function readStart(stdin: Context["stdin"], stop: AbortSignal): Promise<string> {
  addAbortSignal(stop, stdin);
  let text = "";
  try {
    for await (const chunk of stdin) {
      text += typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk);
      if (text.length > TEXT_BYTES_MAX) break;
    }
  } catch (error) {
    stop.throwIfAborted();
    throw error;
  }
  return text;
}

async function readFile(path: string): Promise<string> {
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(new Uint8Array(TEXT_BYTES_MAX));
      return new TextDecoder().decode(buffer.subarray(0, bytesRead));
    } finally {
      await file.close();
    }
  } catch (error) {
    const hint = "check the path; paths are relative to the current folder";
    throw new CommandError("CULVERT_FILE", `cannot read the ticket file ${path}`, hint, error);
  }
}
