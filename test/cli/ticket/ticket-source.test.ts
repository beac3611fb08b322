import { tmpdir } from "node:os";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { CommandOptions } from "../../../src/cli/arguments/command-options.ts";
import type { Context } from "../../../src/cli/context.ts";
import { Interrupted } from "../../../src/cli/terminal/interrupt.ts";
import { formatTicket } from "../../../src/cli/ticket/ticket.ts";
import { findTicket } from "../../../src/cli/ticket/ticket-source.ts";
import { FakeScreen, outputOn } from "../screen.ts";

const TICKET = { role: "receive", secret: new Uint8Array(32).fill(7) } as const;

function asking({ isTTY = false } = {}) {
  const stdin = Object.assign(new PassThrough(), { isTTY });
  const stopper = new AbortController();
  const screen = new FakeScreen(isTTY);
  const output = outputOn(screen, false);
  const context = { stdin, stop: stopper.signal, env: {}, output } as unknown as Context;
  const request = { role: "receive", operand: "-", options: new CommandOptions({}) } as const;
  return { stdin, stopper, screen, found: findTicket(context, request) };
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

test("what is gone on with by its id takes none, and none that is set for others", async () => {
  const context = {
    env: { CULVERT_TICKET: "x" },
    output: { note: () => {} },
  } as unknown as Context;
  const resume = "0123456789ab";
  const request = {
    role: "pipe",
    operand: undefined,
    options: new CommandOptions({ resume }),
  } as const;
  expect(await findTicket(context, request)).toBeUndefined();
  for (const twice of [
    { ...request, operand: "culvert1q" },
    { ...request, options: new CommandOptions({ resume, ticketFile: "t" }) },
  ]) {
    await expect(findTicket(context, twice)).rejects.toMatchObject({
      code: "CULVERT_USAGE",
      message: "--resume and a ticket exclude each other",
    });
  }
});

test("one that does not come is waited for until the command is to stop", async () => {
  const { stopper, found } = asking();
  stopper.abort(new Interrupted("SIGINT"));
  await expect(found).rejects.toMatchObject({ exit: 130 });
});

test("a terminal that a ticket is read from as stdin is told what is waited for", async () => {
  const { stdin, screen, found } = asking({ isTTY: true });
  expect(screen.text).toMatch(/ticket.*Ctrl-D/);
  stdin.end(formatTicket(TICKET));
  expect(await found).toEqual(TICKET);
  const piped = asking();
  piped.stdin.end(formatTicket(TICKET));
  await piped.found;
  expect(piped.screen.text).toBe("");
});
