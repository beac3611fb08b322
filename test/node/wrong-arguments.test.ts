import { NODE_DEFAULTS, openClient, parseNodeConfig, startNode } from "culvert/node";
import { expect, it } from "vitest";

/** What a program without types may give where something else is wanted. */
const ODD: readonly unknown[] = [undefined, null, 0, "x", {}, Symbol("s"), 1n, true];
const given = <T>(value: unknown): T => value as T;
const listen = [{ carrier: "udp", host: "127.0.0.1", port: 0 }] as const;

async function expectRefused(starting: Promise<unknown>, says: string): Promise<void> {
  const error: unknown = await starting.then(
    () => "it came up",
    (reason: unknown) => reason,
  );
  expect(String(error)).toContain(says);
  expect(error instanceof TypeError || error instanceof RangeError).toBe(true);
}

it("a node has a whole configuration, or says what of it is none", async () => {
  for (const config of [undefined, null, 5]) {
    await expectRefused(startNode(given(config)), "config must be an object");
  }
  for (const name of ["listen", "announce", "roles", "bootstrap"]) {
    for (const value of ODD) {
      const starting = startNode({ ...NODE_DEFAULTS, listen, [name]: value });
      await expectRefused(starting, `${name} must be an array`);
    }
  }
  for (const name of ["geometry", "storage", "voidphone"]) {
    for (const value of [undefined, null, 5]) {
      const starting = startNode({ ...NODE_DEFAULTS, listen, [name]: value });
      await expectRefused(starting, `${name} must be an object`);
    }
  }
});

it.each([undefined, null, true, "1000", Number.NaN, 0, -1])(
  "a node whose sizes are %s is refused: nothing would be bounded by it",
  async (value) => {
    const { storage, geometry } = NODE_DEFAULTS;
    for (const name of ["entriesMax", "bytesMax"]) {
      const config = { ...NODE_DEFAULTS, listen, storage: { ...storage, [name]: value } };
      await expectRefused(startNode(config), `${name} must be a positive number`);
    }
    for (const name of Object.keys(geometry)) {
      const config = { ...NODE_DEFAULTS, listen, geometry: { ...geometry, [name]: value } };
      await expectRefused(startNode(config), `${name} must be a positive number`);
    }
  },
);

it("a client begins with a list of nodes", async () => {
  for (const options of [undefined, null, 5]) {
    await expectRefused(openClient(given(options)), "options must be an object");
  }
  for (const bootstrap of ODD) {
    const opening = openClient({ bootstrap: given(bootstrap), via: "direct" });
    await expectRefused(opening, "bootstrap must be an array");
  }
  for (const node of [undefined, null, 5, {}, { id: new Uint8Array(32) }, { address: {} }]) {
    const opening = openClient({ bootstrap: [given(node)], via: "direct" });
    await expectRefused(opening, "a node has an id and an address");
  }
});

it("a configuration is a text", () => {
  for (const text of [undefined, null, 5, {}, Symbol("s")]) {
    expect(() => parseNodeConfig(given(text))).toThrow("the configuration is no text");
  }
});
