/**
 * One node with links and a reach, for tests with real sockets: reads commands as JSON lines on
 * standard input, and answers each with one JSON line.
 */

import { createHash } from "node:crypto";
import { createInterface } from "node:readline";
import {
  Directory,
  type NodeAddress,
  NodeDescriptor,
  NodeIdentity,
} from "../src/identity/index.ts";
import { type Link, openLinkHost, Reach } from "../src/link/index.ts";

const [seedText = "1", bindHost = "127.0.0.1", role = "node"] = process.argv.slice(2);
const seed = new Uint8Array(32).fill(Number(seedText));
const identity = new NodeIdentity(seed);
const at = { host: bindHost, port: 0 };
const host = await openLinkHost({ identity, network: "e2e", udp: at, tcp: at });
const directory = new Directory({ unixMs: () => Date.now() });
const reach = new Reach({
  host,
  identity,
  lookup: directory,
  localHosts: () => (bindHost === "0.0.0.0" ? [] : [bindHost]),
  ...(role === "relay" ? { relay: {} } : {}),
});
host.handle("echo", (stream) => {
  stream.on("error", () => {});
  stream.pipe(stream);
});

type Command = { readonly id: number } & (
  | { readonly do: "describe"; readonly publicHost?: string }
  | { readonly do: "know"; readonly descriptor: string }
  | { readonly do: "reserve"; readonly descriptor: string }
  | { readonly do: "dial"; readonly publicKey: string; readonly relay: string }
  | { readonly do: "echo"; readonly bytes: number }
  | { readonly do: "wait-direct" }
);

let link: Link | undefined;
const decode = (text: string): NodeDescriptor => NodeDescriptor.fromBytes(Buffer.from(text, "hex"));

function describe(publicHost: string | undefined): string {
  const addresses = host.addresses.map((address): NodeAddress => {
    return publicHost === undefined ? address : { ...address, host: publicHost };
  });
  const descriptor = NodeDescriptor.sign(identity, {
    sequence: 1,
    expiresAtUnixS: Math.floor(Date.now() / 1_000) + 3_600,
    roles: [],
    geometry: { cellBytes: 1_900, onionBytes: 4_096, onionHopsMax: 5 },
    addresses,
    relays: [],
    onionKeys: [],
  });
  return Buffer.from(descriptor.toBytes()).toString("hex");
}

/** Echoes bytes over the link while it may move; fails when they come back changed. */
async function echo(of: Link, bytes: number): Promise<string> {
  const stream = await of.openStream("echo");
  const [sent, back] = [createHash("sha256"), createHash("sha256")];
  const piece = Buffer.alloc(8_192);
  const whole = new Promise((resolve, reject) => {
    stream.on("data", (chunk: Uint8Array) => back.update(chunk));
    stream.on("end", resolve);
    stream.on("error", reject);
  });
  for (let done = 0; done < bytes; done += piece.length) {
    piece.writeUInt32BE(done);
    const copy = Buffer.from(piece);
    sent.update(copy);
    if (stream.write(copy)) continue;
    await Promise.race([whole, new Promise((resolve) => stream.once("drain", resolve))]);
  }
  stream.end();
  await whole;
  if (sent.digest("hex") !== back.digest("hex")) throw new Error("other bytes came back");
  return of.isRelayed ? "relayed" : "direct";
}

function untilDirect(of: Link): Promise<string> {
  return new Promise((resolve) => {
    const look = (): void => {
      const { path } = of;
      if (path === undefined || path.isRelayed) return;
      resolve(`${path.carrier} ${path.remote?.host}`);
    };
    of.onPath(look);
    look();
  });
}

function untilReserved(): Promise<string> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (reach.vouchers.length > 0) resolve("reserved");
    };
    reach.onPlaces(look);
    look();
  });
}

async function run(command: Command): Promise<string> {
  switch (command.do) {
    case "describe":
      return describe(command.publicHost);
    case "know":
      return String(directory.add(decode(command.descriptor)));
    case "reserve": {
      const { id, claims } = decode(command.descriptor);
      reach.keepPlace({ id, addresses: claims.addresses });
      return untilReserved();
    }
    case "dial": {
      const [peer, relay] = [decode(command.publicKey), decode(command.relay)];
      link = await reach.dial({ id: peer.id, addresses: [], relays: [relay.id] });
      return link.isRelayed ? "relayed" : "direct";
    }
    case "echo":
      if (link === undefined) throw new Error("no link");
      return echo(link, command.bytes);
    case "wait-direct":
      if (link === undefined) throw new Error("no link");
      return untilDirect(link);
  }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const command = JSON.parse(line) as Command;
  const answer = (fields: object): void => {
    process.stdout.write(`${JSON.stringify({ id: command.id, ...fields })}\n`);
  };
  run(command).then(
    (result) => answer({ result }),
    (error: unknown) => answer({ error: error instanceof Error ? error.stack : String(error) }),
  );
});
process.stdin.on("end", () => process.exit(0));
process.stdout.write(`${JSON.stringify({ id: 0, result: "ready" })}\n`);
