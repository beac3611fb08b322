import { describe, expect, test } from "vitest";
import { type Launch, Machine } from "./culvert.ts";

/** Starts programs for which `name` has no machine code, as where it is not built for. */
function without(name: string): Launch {
  const code = `
    import Module from "node:module";
    const load = Module._load;
    Module._load = (wanted, parent, ...rest) => {
      if (/^(require-addon|node-gyp-build)$/.test(wanted) && parent.filename.includes("${name}"))
        throw new Error("no build");
      return load(wanted, parent, ...rest);
    };`;
  const module = `data:text/javascript,${encodeURIComponent(code)}`;
  return { launcher: ["env", `NODE_OPTIONS=--import=${module}`] };
}

describe("without the machine code of", () => {
  test("classic-level, a Map in memory runs, and one on disk says why not", async () => {
    await using machine = await Machine.create();
    const launch = without("classic-level");
    const kept = machine.start(["map", "--json", "--listen", "127.0.0.1:0"], launch);
    expect((await kept.ended).code).toBe(1);
    expect(kept.events).toMatchObject([{ event: "error", code: "CULVERT_UNSUPPORTED", exit: 1 }]);
    const map = machine.start(["map", "--memory", "--listen", "127.0.0.1:0"], launch);
    await map.says(/map on/);
    map.process.kill("SIGTERM");
    expect((await map.ended).code, map.stderr).toBe(143);
  });

  test("sodium-native, a node says why there are no links, in two lines", async () => {
    await using machine = await Machine.create();
    const launch = without("sodium-native");
    const node = machine.start(["node", "--memory", "--listen", "tcp://127.0.0.1:0"], launch);
    expect((await node.ended).code).toBe(1);
    expect(node.stderr).toMatch(
      /^culvert: error: the package sodium-native is not there.*\nculvert: hint: install .*\n$/,
    );
  });

  test("udx-native, a node runs over TCP, and over UDP says why not in two lines", async () => {
    await using machine = await Machine.create();
    const launch = without("udx-native");
    const udp = machine.start(["node", "--memory", "--listen", "udp://127.0.0.1:0"], launch);
    expect((await udp.ended).code).toBe(1);
    expect(udp.stderr).toMatch(
      /^culvert: error: the package udx-native is not there.*\nculvert: hint: install .*\n$/,
    );
    const tcp = machine.start(["node", "--memory", "--listen", "tcp://127.0.0.1:0"], launch);
    await tcp.says(/^others use --nodes/m);
    tcp.process.kill("SIGTERM");
    expect((await tcp.ended).code, tcp.stderr).toBe(143);
  });
});
