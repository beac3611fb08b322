import { describe, expect, it } from "vitest";
import { type LabNat, NatLab, whyNoLab } from "./nat-lab.ts";
import { ReachProcess } from "./reach-process.ts";

/** A relay, a node that keeps a place there, and one that dials it. */
async function start(where: {
  relay: { bindHost: string; namespace?: string; publicHost?: string };
  nodes: readonly { bindHost: string; namespace?: string }[];
}) {
  const [a, b] = where.nodes;
  if (a === undefined || b === undefined) throw new Error("two nodes");
  const relay = await ReachProcess.start({ seed: 1, role: "relay", ...where.relay });
  const [left, right] = [
    await ReachProcess.start({ seed: 2, ...a }),
    await ReachProcess.start({ seed: 3, ...b }),
  ];
  const { publicHost } = where.relay;
  const descriptor = await relay.ask({
    do: "describe",
    ...(publicHost === undefined ? {} : { publicHost }),
  });
  for (const node of [left, right]) await node.ask({ do: "know", descriptor });
  expect(await right.ask({ do: "reserve", descriptor })).toBe("reserved");
  const peer = await right.ask({ do: "describe" });
  expect(await left.ask({ do: "dial", publicKey: peer, relay: descriptor })).toBe("relayed");
  return {
    left,
    end: () => Promise.all([left, right, relay].map((process) => process.end())),
  };
}

describe("three processes on the loopback", () => {
  it("meet through the relay, and move to a direct path with bytes under way", async () => {
    const at = { bindHost: "127.0.0.1" };
    const { left, end } = await start({ relay: at, nodes: [at, at] });
    try {
      const echoed = left.ask({ do: "echo", bytes: 4_194_304 });
      expect(await left.ask({ do: "wait-direct" })).toBe("udp 127.0.0.1");
      await echoed;
      expect(await left.ask({ do: "echo", bytes: 1_048_576 })).toBe("direct");
    } finally {
      await end();
    }
  });
});

const reason = whyNoLab();
if (reason !== undefined) console.log(`NATs of the kernel are not tested: ${reason}`);

describe.runIf(reason === undefined)("two homes behind NATs of the kernel", () => {
  async function lab(a: LabNat, b: LabNat) {
    const built = new NatLab();
    const nodes = [a, b].map((nat) => ({ bindHost: "0.0.0.0", namespace: built.addHome(nat) }));
    const relay = { bindHost: "0.0.0.0", namespace: built.open, publicHost: "192.0.2.1" };
    try {
      const { left, end } = await start({ relay, nodes });
      const close = async (): Promise<void> => {
        await end();
        built.close();
      };
      return { left, built, close };
    } catch (error) {
      built.close();
      throw error;
    }
  }

  it("punch through, and go on through the relay when both are rebound", async () => {
    const { left, built, close } = await lab("port-restricted", "port-restricted");
    try {
      const echoed = left.ask({ do: "echo", bytes: 8_388_608 });
      expect(await left.ask({ do: "wait-direct" })).toBe("udp 192.0.2.12");
      await echoed;
      built.rebindAll();
      await left.ask({ do: "echo", bytes: 1_048_576 });
      expect(await left.ask({ do: "wait-direct" })).toBe("udp 192.0.2.112");
    } finally {
      await close();
    }
  });

  it("stay with the relay when both draw a port for everybody", async () => {
    const { left, close } = await lab("symmetric", "symmetric");
    try {
      expect(await left.ask({ do: "echo", bytes: 1_048_576 })).toBe("relayed");
    } finally {
      await close();
    }
  });
});
