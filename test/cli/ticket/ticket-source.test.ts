import { tmpdir } from "node:os";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { CommandOptions } from "../../../src/cli/arguments/command-options.ts";
import type { Context } from "../../../src/cli/context.ts";
import { Interrupted } from "../../../src/cli/terminal/interrupt.ts";
import { formatTicket } from "../../../src/cli/ticket/ticket.ts";
import { findTicket } from "../../../src/cli/ticket/ticket-source.ts";

const TICKET = { role: "receive", secret: new Uint8Array(32).fill(7) } as const;

function asking() {
  const stdin = new PassThrough();
  const stopper = new AbortController();
  const context = { stdin, stop: stopper.signal, env: {} } as unknown as Context;
  const request = { role: "receive", operand: "-", options: new CommandOptions({}) } as const;
  return { stdin, stopper, found: findTicket(context, request) };
}

test("a ticket comes on stdin, in pieces", async () => {
  const { stdin, found } = asking();
  const text = formatTicket(TICKET);
  stdin.write(text.slice(0, 10));
  stdin.end(`${text.slice(10)}\n`);
  expect(await found).toEqual(TICKET);
});

test("one that is set to nothing is none, and a folder is no file of one", async () => {
  const env = { CULVERT_TICKET: "" };
  const context = { env, output: { note: () => {} } } as unknown as Context;
  const request = { role: "receive", operand: undefined } as const;
  const options = new CommandOptions({});
  expect(await findTicket(context, { ...request, options })).toBeUndefined();
  const folder = new CommandOptions({ ticketFile: tmpdir() });
  await expect(findTicket(context, { ...request, options: folder })).rejects.toMatchObject({
    code: "CULVERT_FILE",
    message: `cannot read the ticket file ${tmpdir()}`,
  });
});

test("one that does not come is waited for until the command is to stop", async () => {
  const { stopper, found } = asking();
  stopper.abort(new Interrupted("SIGINT"));
  await expect(found).rejects.toMatchObject({ exit: 130 });
});
