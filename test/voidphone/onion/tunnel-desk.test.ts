import { expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import {
  INCOMING_MAX,
  INCOMING_PER_CLIENT_MAX,
  TunnelDesk,
  type TunnelHolder,
} from "../../../src/voidphone/onion/tunnel-desk.ts";
import { MemoryTunnel } from "../memory-tunnels.ts";

/** A client that keeps the number of each tunnel that it is told of. */
class Client implements TunnelHolder {
  readonly tunnels: number[] = [];

  push(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    this.tunnels.push(view.getUint32(4));
  }
}

function setUp() {
  const desk = new TunnelDesk(new SeededRandom(1));
  const built: MemoryTunnel[] = [];
  const join = (): Client => {
    const client = new Client();
    desk.join(client);
    return client;
  };
  /** A tunnel of each of so many sources of its own. */
  const come = (count: number): void => {
    for (let left = count; left > 0; left--) comeFrom(`source ${built.length}`);
  };
  const comeFrom = (source: string): MemoryTunnel => {
    const tunnel = new MemoryTunnel();
    built.push(tunnel);
    desk.incoming(tunnel, source);
    return tunnel;
  };
  const answer = ({ tunnels }: Client, client: TunnelHolder): void => {
    for (const id of tunnels) desk.send(id, new Uint8Array(1), client);
  };
  return { desk, built, join, come, comeFrom, answer };
}

it("has no client take leave of a tunnel for one that finds no room in the end", () => {
  const { desk, built, join, come, comeFrom, answer } = setUp();
  // All but so many places are taken, by tunnels that stay.
  let left = INCOMING_MAX - INCOMING_PER_CLIENT_MAX - 1;
  while (left > 0) {
    const client = join();
    const count = Math.min(left, INCOMING_PER_CLIENT_MAX);
    come(count);
    answer(client, client);
    left -= count;
  }
  const near = join();
  comeFrom("once");
  answer(near, near);
  const far = join();
  // One of the source that will come again is answered, and not the near client's any more.
  comeFrom("again");
  const [, again = 0] = near.tunnels;
  desk.release(again, near);
  answer(far, far);
  come(INCOMING_PER_CLIENT_MAX - 1);
  const before = built.filter(({ isDestroyed }) => isDestroyed).length;
  const [, , first = 0] = near.tunnels;
  const refused = comeFrom("again");
  expect(refused.isDestroyed).toBe(true);
  expect(built.filter(({ isDestroyed }) => isDestroyed)).toHaveLength(before + 1);
  expect(desk.release(first, near)).toBe(true);
});
