import { expect, it } from "vitest";
import { PeerLinks, Requests } from "../../src/rpc/index.ts";
import { type LinkNode, LinkWorld } from "../link/link-world.ts";

const BODY_BYTES = 1_000_000;

it("two that ask each other for much at once both get their answers", async () => {
  const world = new LinkWorld({ seed: 1, line: { delayMs: 20, bytesPerSecond: 10_000_000 } });
  const nodes = [await world.add("192.0.2.1"), await world.add("192.0.2.2")] as const;
  const { clock } = world;
  const requestsOf = ({ host }: LinkNode, to: LinkNode): Requests => {
    const dial = () => host.dial({ id: to.host.id, addresses: to.host.addresses });
    const onLink: LinkNode["host"]["onLink"] = (listener) => host.onLink(listener);
    const carrier = new PeerLinks({ dial, onLink }, { clock });
    return new Requests({ carrier, handler: ({ body }) => body.subarray(0, 1), clock });
  };
  const both = [requestsOf(...nodes), requestsOf(nodes[1], nodes[0])] as const;
  const ask = (at: 0 | 1, bytes = BODY_BYTES): Promise<Uint8Array> => {
    const to = nodes[at === 0 ? 1 : 0].host.id;
    return both[at].request(to, "ask", new Uint8Array(bytes).fill(at), { hardMs: 60_000 });
  };
  await world.run(ask(0, 10));
  await world.run(ask(1, 10));
  const asked: Promise<Uint8Array>[] = [];
  for (let round = 0; round < 4; round++) {
    asked.push(ask(0), ask(1));
    await world.pass(1);
  }
  const answers = await world.run(Promise.allSettled(asked));
  expect(answers.filter(({ status }) => status === "rejected")).toEqual([]);
  for (const requests of both) await world.run(requests.close({ drainMs: 0 }));
  await world.close();
});
