import { SeededRandom } from "../../../src/base/index.ts";
import {
  NodeDescriptor,
  NodeIdentity,
  type NodeRole,
  nodeIdText,
} from "../../../src/identity/index.ts";
import { epochOf } from "../../../src/onion/packet/key-ring.ts";
import type { Route } from "../../../src/onion/route/route.ts";
import { UNIX_MS } from "../fixtures.ts";

/** What a node says of itself; the same node for the same seed. */
export function descriptorOf(
  seed: number,
  options: {
    host?: string;
    hosts?: readonly string[];
    roles?: readonly NodeRole[];
    epoch?: number;
    epochs?: readonly number[];
  } = {},
): NodeDescriptor {
  const random = new SeededRandom(seed);
  const identity = new NodeIdentity(random.bytes(32));
  const {
    host = `10.${seed >> 8}.${seed & 255}.1`,
    hosts = [host],
    roles = ["onion-relay", "onion-exit"],
  } = options;
  return NodeDescriptor.sign(identity, {
    sequence: (options.epoch ?? 0) + 1,
    expiresAtUnixS: UNIX_MS / 1_000 + 7_200,
    roles,
    geometry: { cellBytes: 1_900, onionBytes: 2_048, onionHopsMax: 5 },
    addresses: hosts.map((it) => ({ carrier: "tcp", host: it, port: 7_000 })),
    relays: [],
    onionKeys: (options.epochs ?? [options.epoch ?? epochOf(UNIX_MS)]).map((epoch) => {
      return { epoch, publicKey: random.bytes(32) };
    }),
  });
}

/** Relays and exits, each in a network of its own. */
export const many: readonly NodeDescriptor[] = Array.from({ length: 40 }, (_, i) =>
  descriptorOf(i + 1),
);

export const names = (route: Route): string[] => route.hops.map(({ id }) => nodeIdText(id));
