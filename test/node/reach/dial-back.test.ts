import { describe, expect, it } from "vitest";
import { CulvertError, SeededRandom } from "../../../src/base/index.ts";
import { NodeIdentity, parseNodeAddress } from "../../../src/identity/index.ts";
import { type Link, openLinkHost } from "../../../src/link/index.ts";
import { NETWORK_NAME } from "../../../src/node/network-name.ts";
import {
  DIAL_BACK_ANSWER,
  DIAL_BACK_QUESTION,
  DialBack,
} from "../../../src/node/reach/dial-back.ts";
import {
  VirtualClock,
  VirtualNetwork,
  virtualTcp,
  virtualUdp,
} from "../../../src/testing/index.ts";
import { Capture } from "../../../src/testing/road/capture.ts";
import { virtualMachine } from "../../../src/testing/road/road-node.ts";

const UDP = parseNodeAddress("udp://192.0.2.1:7000");
const TCP = parseNodeAddress("tcp://192.0.2.1:7000");
const CLOSED = parseNodeAddress("udp://192.0.2.1:9");
const ELSEWHERE = parseNodeAddress("udp://192.0.2.77:7000");

/** A node that asks, one that dials it back, and a third one that nobody must be sent to. */
async function scene() {
  const clock = new VirtualClock();
  const network = new VirtualNetwork({ clock, seed: 1 });
  const random = new SeededRandom(1);
  const elapse = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise, 60_000);
  const open = async (at: string) => {
    const host = network.addHost({ addresses: [at] });
    const identity = new NodeIdentity(random.bytes(32));
    const components = { clock, random, udp: virtualUdp(host), tcp: virtualTcp(host) };
    const [udp, tcp] = [
      { host: at, port: 7_000 },
      { host: at, port: 7_000 },
    ];
    return await elapse(openLinkHost({ identity, network: NETWORK_NAME, udp, tcp, components }));
  };
  const [asker, third] = [await open("192.0.2.1"), await open("192.0.2.77")];
  let strangers = 0;
  third.onLink(() => {
    strangers += 1;
  });
  const ground = { clock, capture: new Capture(clock), isWatched: false };
  const host = network.addHost({ addresses: ["198.51.100.1"] });
  const machine = virtualMachine(ground, host, random);
  const dialBack = new DialBack(machine);
  const identity = new NodeIdentity(random.bytes(32));
  const components = { clock, random, udp: virtualUdp(host), tcp: virtualTcp(host) };
  const own = await elapse(
    openLinkHost({
      identity,
      network: NETWORK_NAME,
      udp: { host: "198.51.100.1", port: 7_000 },
      components,
    }),
  );
  const link = await elapse(own.dial({ id: asker.id, addresses: [UDP] }));
  const close = async (): Promise<void> => {
    await elapse(Promise.all([asker.close(), third.close(), own.close()]));
  };
  return { clock, machine, elapse, dialBack, link, asker, close, strangers: () => strangers };
}

describe("dialling back", () => {
  it("tells of each address whether somebody new gets through, and leaves no link", async () => {
    const { elapse, dialBack, link, asker, close } = await scene();
    const verdicts = await elapse(dialBack.judge(link, [UDP, CLOSED, TCP]));
    expect(verdicts).toEqual(["met", "missed", "met"]);
    await elapse(new Promise<void>((done) => setImmediate(done)));
    expect(asker.links().map(({ peer }) => peer)).toHaveLength(1);
    await close();
  });

  it("sends nobody to a host that the question did not come from", async () => {
    const { elapse, dialBack, link, close, strangers } = await scene();
    expect(await elapse(dialBack.judge(link, [ELSEWHERE, UDP]))).toEqual(["untried", "met"]);
    expect(strangers()).toBe(0);
    await close();
  });

  it("dials nobody in a private network: what is there may stand for anybody", async () => {
    const { elapse, dialBack, link, close } = await scene();
    const { peer, peerKey, path, isRelayed } = link;
    for (const host of ["10.0.0.1", "127.0.0.1", "172.17.0.1", "::1"]) {
      const remote = { ...UDP, host };
      const asker = { peer, peerKey, path: { ...path, remote }, isRelayed } as Link;
      const ports = [remote, { ...TCP, host, port: 22 }];
      expect(await elapse(dialBack.judge(asker, ports))).toEqual(["untried", "untried"]);
    }
    await close();
  });

  it("does not dial whom it knows through a relay only, or not any more", async () => {
    const { elapse, dialBack, link, close } = await scene();
    const { peer, peerKey, path } = link;
    const relayed = { peer, peerKey, path, isRelayed: true } as Link;
    expect(await elapse(dialBack.judge(relayed, [UDP]))).toEqual(["untried"]);
    expect(await elapse(dialBack.judge(undefined, [UDP, TCP]))).toEqual(["untried", "untried"]);
    await close();
  });

  it("blames nobody when this machine has no socket for it", async () => {
    const { machine, elapse, link, close } = await scene();
    const openLinks = async (): Promise<never> => {
      throw new CulvertError("CULVERT_UNREACHABLE", "no such family here");
    };
    const without = new DialBack({ ...machine, openLinks });
    expect(await elapse(without.judge(link, [UDP, TCP]))).toEqual(["untried", "untried"]);
    await close();
  });

  it("leaves nothing behind that is under way when it is closed", async () => {
    const { clock, elapse, dialBack, link, close } = await scene();
    const from = clock.now();
    const judging = dialBack.judge(link, [CLOSED]);
    dialBack.close();
    expect(await elapse(judging)).toEqual(["missed"]);
    expect(clock.now() - from).toBeLessThan(1_000);
    await close();
  });

  it("has an end for a network that asks without end", async () => {
    const { elapse, dialBack, link, close } = await scene();
    const verdicts: string[] = [];
    for (let i = 0; i < 12; i++) verdicts.push(...(await elapse(dialBack.judge(link, [UDP]))));
    expect(verdicts.slice(0, 6)).toEqual(Array(6).fill("met"));
    expect(verdicts.slice(-4)).toEqual(Array(4).fill("untried"));
    await close();
  });

  it("reads no question and no answer that is not one", () => {
    const question = DIAL_BACK_QUESTION.encode([UDP, TCP]);
    expect(DIAL_BACK_QUESTION.decode(question)).toEqual([UDP, TCP]);
    const bad = [[], [5], [1], [...question, 0], question.subarray(0, -1)];
    for (const bytes of bad) {
      expect(() => DIAL_BACK_QUESTION.decode(Uint8Array.from(bytes))).toThrow(
        expect.objectContaining({ code: "CULVERT_PROTOCOL" }),
      );
    }
    const verdicts = ["met", "untried", "missed"] as const;
    expect(DIAL_BACK_ANSWER.decode(DIAL_BACK_ANSWER.encode(verdicts))).toEqual(verdicts);
    for (const bytes of [[3], [0, 1, 2, 0, 1]]) {
      expect(() => DIAL_BACK_ANSWER.decode(Uint8Array.from(bytes))).toThrow(
        expect.objectContaining({ code: "CULVERT_PROTOCOL" }),
      );
    }
  });
});
