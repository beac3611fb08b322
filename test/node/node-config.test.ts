import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { CulvertError } from "../../src/base/index.ts";
import { formatNodeContact, parseNodeContact } from "../../src/identity/index.ts";
import { NODE_DEFAULTS, parseNodeConfig } from "../../src/node/node-config.ts";
import { onionGeometryOf } from "../../src/node/onion/onion-geometry.ts";
import { encodeOperation } from "../../src/onion/map/map-operation.ts";
import { checkedGeometry, requestBytes } from "../../src/onion/packet/geometry.ts";

const ID = "0123456789abcdef".repeat(4);

function complaintOf(toml: string): string {
  try {
    parseNodeConfig(toml);
  } catch (error) {
    if (error instanceof CulvertError && error.code === "CULVERT_USAGE") return error.message;
    throw error;
  }
  return "none";
}

describe("a node's configuration", () => {
  it("may be empty", () => {
    expect(parseNodeConfig("")).toEqual(NODE_DEFAULTS);
  });

  it("may be the file that VoidPhone's modules share", () => {
    const { voidphone, ...others } = parseNodeConfig(
      [
        "hostkey = /etc/voidphone/hostkey.pem",
        "[dht]",
        "api_address = 127.0.0.1:7401",
        "p2p_address = [2001:db8::1]:7402",
        "[onion]",
        "api_address = 127.0.0.1:7501",
      ].join("\n"),
    );
    expect(voidphone).toEqual({
      ...NODE_DEFAULTS.voidphone,
      api: "127.0.0.1:7401",
      final: "[2001:db8::1]:7402",
      onion: "127.0.0.1:7501",
    });
    expect({ ...others, voidphone: NODE_DEFAULTS.voidphone }).toEqual(NODE_DEFAULTS);
    expect(complaintOf("[dht]\napi_address = 127.0.0.1:7401")).toContain("hostkey");
  });

  it("says what differs from the defaults", () => {
    const config = parseNodeConfig(`
      directory = "data"
      listen = ["udp://[::1]:7100"]
      bootstrap = ["${ID}@tcp://192.0.2.1:7000"]
      nodes-file = "nodes"
      roles = ["storage"]
      metrics = "127.0.0.1:9100"
      [network]
      cell-bytes = 1024
      [storage]
      bytes = 1_000_000
      [voidphone]
      api = "127.0.0.1:7401"
    `);
    expect(config.listen).toEqual([{ carrier: "udp", host: "::1", port: 7100 }]);
    expect(config.bootstrap.map(formatNodeContact)).toEqual([`${ID}@tcp://192.0.2.1:7000`]);
    expect(config.roles).toEqual(["storage"]);
    expect(config.geometry).toEqual({ ...NODE_DEFAULTS.geometry, cellBytes: 1024 });
    expect(config.storage).toEqual({ ...NODE_DEFAULTS.storage, bytesMax: 1_000_000 });
    expect(config.voidphone.api).toBe("127.0.0.1:7401");
    expect(config.nodesFile).toBe("nodes");
  });

  it("is on the page of the command with every key that it has", () => {
    const page = readFileSync("docs/COMMAND.md", "utf8");
    const [, toml = ""] = /^```toml\n(.*?)^```/ms.exec(page) ?? [];
    const config = parseNodeConfig(toml.replaceAll("5e0d…", ID));
    expect(config.announce).toHaveLength(2);
    const leaves = Object.values(NODE_DEFAULTS).flatMap((value) =>
      value?.constructor === Object ? Object.keys(value) : [value],
    );
    expect(toml.match(/^[a-z-]+ =/gm)).toHaveLength(leaves.length);
  });

  it("is on the page of VoidPhone as its modules have it", () => {
    const page = readFileSync("docs/VOIDPHONE.md", "utf8");
    const [, ini = ""] = /^```ini\n(.*?)^```/ms.exec(page) ?? [];
    const { api, onion, final } = parseNodeConfig(ini).voidphone;
    expect([api, onion, final]).toEqual(["127.0.0.1:7401", "127.0.0.1:7501", "[2001:db8::1]:7402"]);
  });

  it.each([
    ["a = 1\nb = = 2", /line 2/],
    ["listen = 7000", /listen/],
    ['listen = ["udp://localhost:7000"]', /listen\.0.*address/],
    ['bootstrap = ["abc@udp://192.0.2.1:7000"]', /bootstrap\.0.*64/],
    ['roles = ["king"]', /roles\.0/],
    ['roles = ["onion-relay"]', /roles: .*storage/],
    ["[network]\ncell-bytes = 12", /network\.cell-bytes/],
    ["[network]\ncell-bytes = 65536", /network\.cell-bytes/],
    ["[network]\nonion-bytes = 65536", /network\.onion-bytes/],
    ["[network]\nonion-hops-max = 2", /network\.onion-hops-max/],
    ["[storage]\nentries = 1.5", /storage\.entries/],
    ["color = 1", /color/],
    [`directory = "${"x".repeat(70_000)}"`, /too long/],
  ])("refuses %j and says where", (toml, complaint) => {
    expect(complaintOf(toml)).toMatch(complaint);
  });
});

describe("a mistake beside the password of a Redis server", () => {
  const url = "redis://:open-sesame@127.0.0.1:6379";

  it.each([
    ["storage.redis", `[storage]\nredis = "${url}"`],
    ["storage.redis.1", `[storage]\nredis = ["${url}", 5]`],
    ["line 2", `[storage]\nredis = ["${url}"`],
    ["line 2", `[storage]\nredis = [${url}]`],
    ['"storage.reddis"', `[storage]\nreddis = ["${url}"]`],
    ["storage", `storage = "${url}"`],
  ])("is told at %s, without the password", (place, toml) => {
    let error: unknown;
    try {
      parseNodeConfig(toml);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ message: expect.stringContaining(place) });
    expect(inspect(error, { depth: 9 })).not.toContain("open-sesame");
  });
});

describe("the largest network that a file can ask for", () => {
  it("is told a key that there is not in words of its own", () => {
    expect(() => parseNodeConfig("[storage]\nfoo = 1")).toThrow('there is no key "storage.foo"');
  });

  it("has onions with room for its cells", () => {
    const { geometry } = parseNodeConfig("[network]\ncell-bytes = 65535\nonion-bytes = 65535");
    const onions = checkedGeometry(onionGeometryOf(geometry));
    const [address, signature] = [new Uint8Array(32), new Uint8Array(64)];
    const payload = new Uint8Array(geometry.cellBytes);
    const record = { seq: 1, ttlSeconds: 1, address, signature, payload } as const;
    const put = encodeOperation({ kind: "put", record });
    expect(put.length).toBeLessThanOrEqual(requestBytes(onions));
    const larger = { ...geometry, cellBytes: geometry.cellBytes + 1 };
    expect(() => onionGeometryOf(larger)).toThrow(/65535 bytes/);
  });
});

describe("a node that people write down", () => {
  it.each([`${ID}@udp://127.0.0.1:1`, `${ID}@tcp://[2001:db8::1]:65535`])(
    "is %s both ways",
    (text) => {
      expect(formatNodeContact(parseNodeContact(text))).toBe(text);
    },
  );

  it.each(["", "@udp://127.0.0.1:1", "udp://127.0.0.1:1", `${ID}@udp://127.0.0.1:0`])(
    "is not %j",
    (text) => {
      expect(() => parseNodeContact(text)).toThrow(CulvertError);
    },
  );
});
