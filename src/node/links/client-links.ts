import { isCulvertError } from "../../base/index.ts";
import type { NodeContact, NodeIdentity } from "../../identity/index.ts";
import type { LinkHost } from "../../link/index.ts";
import type { Machine } from "../machine.ts";
import { NETWORK_NAME } from "../network-name.ts";

/**
 * Opens the links of a client: by both families, since nodes of any may be met later; by IPv4 alone
 * where the machine has no other. Where all nodes are on this machine, nobody else reaches it.
 *
 * @param nodes those that the client begins with
 * @throws CulvertError `CULVERT_UNREACHABLE` when no port can be bound
 */
export async function openClientLinks(
  { openLinks }: Machine,
  { identity, nodes }: { readonly identity: NodeIdentity; readonly nodes: readonly NodeContact[] },
): Promise<LinkHost> {
  const [host, ...others] = hostsToSendFrom(nodes.map(({ address }) => address.host));
  const openAt = (at: string): Promise<LinkHost> =>
    openLinks({ identity, network: NETWORK_NAME, udp: { host: at, port: 0 } });
  try {
    return await openAt(host);
  } catch (error) {
    const [other] = others;
    if (other === undefined || !isCulvertError(error, "CULVERT_UNREACHABLE")) throw error;
    return await openAt(other);
  }
}

function hostsToSendFrom(hosts: readonly string[]): readonly [string, ...string[]] {
  if (hosts.every((host) => host.startsWith("127."))) return ["127.0.0.1"];
  if (hosts.every((host) => host === "::1")) return ["::1"];
  return ["::", "0.0.0.0"];
}
