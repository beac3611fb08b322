import type { Clock } from "../../../src/base/index.ts";
import { Directory, NodeDescriptor, NodeIdentity } from "../../../src/identity/index.ts";
import { type LinkHost, type LinkHostOptions, openLinkHost } from "../../../src/link/index.ts";
import { linkDialler, NodeLinks } from "../../../src/node/index.ts";
import { PeerLinks } from "../../../src/rpc/index.ts";
import type { RpcEnd } from "../../../src/testing/index.ts";

/** Two nodes with links between them. */
export interface LinkPair {
  readonly a: RpcEnd;
  readonly b: RpcEnd;
  readonly hosts: readonly LinkHost[];
  close(): Promise<void>;
}

const GEOMETRY = { cellBytes: 2_048, onionBytes: 4_096, onionHopsMax: 5 };

/** Opens two hosts that know each other's descriptors. */
export async function linkPair(
  clock: Clock,
  optionsOf: (end: "a" | "b") => Omit<LinkHostOptions, "identity" | "network">,
): Promise<LinkPair> {
  const directory = new Directory({ unixMs: () => clock.unixMs() });
  const open = async (end: "a" | "b"): Promise<{ end: RpcEnd; host: LinkHost }> => {
    const identity = new NodeIdentity(new Uint8Array(32).fill(end === "a" ? 1 : 2));
    const host = await openLinkHost({ identity, network: "test", ...optionsOf(end) });
    const claims = {
      ...{ sequence: 1, expiresAtUnixS: Math.floor(clock.unixMs() / 1_000) + 86_400, roles: [] },
      ...{ geometry: GEOMETRY, addresses: host.addresses, relays: [], onionKeys: [] },
    };
    directory.add(NodeDescriptor.sign(identity, claims));
    const ways = new NodeLinks(host, {
      known: () => undefined,
      lookup: directory,
      dial: (target) => host.dial(target),
    });
    const links = new PeerLinks(
      linkDialler(host, (id) => ways.to(id)),
      { clock },
    );
    return { host, end: { id: host.id, carrier: links, streams: links } };
  };
  const [a, b] = [await open("a"), await open("b")];
  return {
    ...{ a: a.end, b: b.end, hosts: [a.host, b.host] },
    close: async () => void (await Promise.all([a.host.close(), b.host.close()])),
  };
}
