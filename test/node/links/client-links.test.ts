import { expect, it } from "vitest";
import { CulvertError, type ErrorCode, SeededRandom } from "../../../src/base/index.ts";
import { type NodeContact, NodeIdentity, parseNodeContact } from "../../../src/identity/index.ts";
import { type Machine, openClient } from "../../../src/node/index.ts";
import { THIS_MACHINE } from "../../../src/node/machine.ts";

const random = new SeededRandom(1);

function contactAt(address: string): NodeContact {
  const { id } = new NodeIdentity(random.bytes(32));
  return parseNodeContact(`${Buffer.from(id).toString("hex")}@udp://${address}:7000`);
}

/** Where a client of these nodes tries to bind its socket, when every attempt fails. */
async function triedHosts(
  addresses: readonly string[],
  code: ErrorCode = "CULVERT_UNREACHABLE",
): Promise<(string | undefined)[]> {
  const tried: (string | undefined)[] = [];
  const machine: Machine = {
    ...THIS_MACHINE,
    openLinks: async ({ udp }) => {
      tried.push(udp?.host);
      throw new CulvertError(code);
    },
  };
  const opening = openClient({ bootstrap: addresses.map(contactAt), via: "direct", machine });
  await expect(opening).rejects.toMatchObject({ code });
  return tried;
}

it("sends by both families, whatever that of the first node is", async () => {
  for (const addresses of [
    ["192.0.2.1", "[2001:db8::1]"],
    ["[2001:db8::1]", "192.0.2.1"],
    ["192.0.2.1"],
    ["127.0.0.1", "[::1]"],
  ]) {
    expect(await triedHosts(addresses)).toEqual(["::", "0.0.0.0"]);
  }
});

it("reaches nodes of its own network, that are not on this machine", async () => {
  expect(await triedHosts(["192.168.1.7"])).toEqual(["::", "0.0.0.0"]);
  expect(await triedHosts(["[fd00::1]"])).toEqual(["::", "0.0.0.0"]);
});

it("stays on this machine where all nodes are", async () => {
  expect(await triedHosts(["127.0.0.1", "127.0.0.2"])).toEqual(["127.0.0.1"]);
  expect(await triedHosts(["[::1]"])).toEqual(["::1"]);
});

it("tries another family only for want of the first", async () => {
  expect(await triedHosts(["192.0.2.1"], "CULVERT_CLOSED")).toEqual(["::"]);
});
