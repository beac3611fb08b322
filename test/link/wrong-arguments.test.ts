import { type NodeId, NodeIdentity } from "culvert/identity";
import {
  HolderCore,
  Observations,
  openLinkHost,
  PunchCore,
  Reach,
  RelayCore,
  Voucher,
} from "culvert/link";
import { describe, expect, it } from "vitest";
import type { Link, LinkHost } from "../../src/link/index.ts";
import { virtualTcp } from "../../src/testing/index.ts";
import { expectAllRefused, given, ODD, oddBut } from "../odd-arguments.ts";
import { type LinkNode, LinkWorld } from "./link-world.ts";

/** Given to nobody, these are left out. */
const OPTIONAL = oddBut(undefined);

const identity = new NodeIdentity(new Uint8Array(32).fill(1));
const clock = { now: () => 0, unixMs: () => 0, schedule: () => () => {} };

it("a host is opened with what it needs, or says what of it is none", async () => {
  const world = new LinkWorld();
  const tcp = virtualTcp(world.network.addHost({ addresses: ["192.0.2.1"] }));
  const open = (changed: object): Promise<LinkHost> => {
    return openLinkHost({ identity, network: "test", components: { clock, tcp }, ...changed });
  };
  await expectAllRefused([undefined, null, 0], "options must be an object", (it) =>
    openLinkHost(it),
  );
  await expectAllRefused(ODD, "identity must be an object with", (it) => open({ identity: it }));
  await expectAllRefused(oddBut("x"), "network must be a text", (it) => open({ network: it }));
  await expectAllRefused([null, 0, "x"], "limits must be an object", (it) => open({ limits: it }));
  await expectAllRefused([null, 0], "components must be an object", (it) =>
    open({ components: it }),
  );
  for (const name of ["clock", "random", "components.udp", "components.tcp"]) {
    const part = name.split(".").at(-1) ?? "";
    await expectAllRefused(OPTIONAL, `${name} must be an object with`, (it) => {
      return open({ components: { [part]: it } });
    });
  }
  for (const port of ["udp", "tcp"]) {
    await expectAllRefused([null, 0, "x"], `${port} must be an object`, (it) =>
      open({ [port]: it }),
    );
    await expectAllRefused(oddBut("x"), `the host of ${port} must be a text`, (host) => {
      return open({ [port]: { host, port: 0 } });
    });
    await expectAllRefused([...oddBut(0), -1, 1.5, 65_536], `the port of ${port} must be`, (it) => {
      return open({ [port]: { host: "192.0.2.1", port: it } });
    });
  }
});

/** Two nodes with a link between them. */
async function pair(): Promise<{ world: LinkWorld; here: LinkNode; there: LinkNode; link: Link }> {
  const world = new LinkWorld();
  const [here, there] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
  return { world, here, there, link: await world.dial(here, there) };
}

/** A connection on which nothing comes. */
const silent = () => ({
  ...{ start: () => {}, write: () => {}, setReading: () => {}, close: () => {} },
  unsentBytes: 0,
});

describe("a host", () => {
  it("dials somebody, somewhere: an address that was none ended the process", async () => {
    const { world, here } = await pair();
    const { host } = here;
    const id = new Uint8Array(32);
    const address = { carrier: "udp", host: "192.0.2.9", port: 7_000 } as const;
    const dial = (changed: object) => host.dial({ id, addresses: [address], ...changed });
    await expectAllRefused([undefined, null, 0], "target must be an object", (it) => host.dial(it));
    await expectAllRefused(ODD, "id must be a Uint8Array", (it) => dial({ id: it }));
    await expectAllRefused([new Uint8Array(31)], "id has 32 bytes, not 31", (it) =>
      dial({ id: it }),
    );
    const lists = ODD.filter((value) => !Array.isArray(value));
    await expectAllRefused(lists, "addresses must be an array", (it) => dial({ addresses: it }));
    await expectAllRefused(ODD, "must be", (it) => dial({ addresses: [it] }));
    for (const name of ["carrier", "host", "port"]) {
      await expectAllRefused(ODD, `${name} must be`, (it) => {
        return dial({ addresses: [{ ...address, [name]: it }] });
      });
    }
    await expectAllRefused(OPTIONAL, "publicKey must be", (it) => dial({ publicKey: it }));
    await expectAllRefused(OPTIONAL, "signal must be", (it) => dial({ signal: it }));
    await expectAllRefused(ODD, "id must be a Uint8Array", (it) => host.find(it));
    await world.close();
  });

  it("takes connections and ways that are some", async () => {
    const { world, here, link } = await pair();
    const { host } = here;
    const how = { isInitiator: true, isRelayed: false };
    const attach = (changed: object) => host.attach(silent(), { ...how, ...changed });
    await expectAllRefused(ODD, "connection must be an object with", (it) => host.attach(it, how));
    await expectAllRefused([undefined, null, 0], "options must be an object", (it) => {
      return host.attach(silent(), it);
    });
    for (const name of ["isInitiator", "isRelayed"]) {
      await expectAllRefused(oddBut(true), `${name} must be true or false`, (it) => {
        return attach({ [name]: it });
      });
    }
    for (const name of ["expectedId", "publicKey", "via"]) {
      await expectAllRefused(OPTIONAL, `${name} must be a Uint8Array`, (it) =>
        attach({ [name]: it }),
      );
    }
    await expectAllRefused(OPTIONAL, "signal must be", (it) => attach({ signal: it }));
    await expectAllRefused([undefined, null, 0], "path must be an object", (it) => {
      return host.upgrade(link, it);
    });
    await expectAllRefused(ODD, "must be", (it) => host.upgrade(link, { addresses: [it] }));
    await expectAllRefused(ODD, "connection must be", (connection) => {
      return host.upgrade(link, { connection, isRelayed: false });
    });
    await expectAllRefused(ODD, "the link is not one of this host", (it) => {
      return host.upgrade(it, { addresses: [] });
    });
    expect(link.isOpen).toBe(true);
    // It was handed over, and nobody else would close it.
    const closed: boolean[] = [];
    const connection = { ...silent(), close: (isAbrupt: boolean) => void closed.push(isAbrupt) };
    const wrong = given<NodeId>("x");
    await expect(host.attach(connection, { ...how, via: wrong })).rejects.toThrow("via must be");
    const path = { connection, isRelayed: true, via: wrong };
    await expect(host.upgrade(link, path)).rejects.toThrow("via must be");
    expect(closed).toEqual([true, true]);
    await world.close();
  });

  it("calls back functions, under names", async () => {
    const { world, here, link } = await pair();
    for (const of of [here.host, link]) {
      await expectAllRefused(oddBut("x"), "a protocol's name", (it) => of.handle(it, () => {}));
      await expectAllRefused(ODD, "must be a function", (it) => of.handle("p", it));
      await expectAllRefused(ODD, "must be a function", (it) => of.onDatagram("p", it));
    }
    const { host } = here;
    for (const add of [
      (it: never) => host.onLink(it),
      (it: never) => host.onObserved(it),
      (it: never) => host.probes?.onProbe(it),
      (it: never) => link.onPath(it),
      (it: never) => link.onClose(it),
    ]) {
      await expectAllRefused(ODD, "a listener must be a function", add);
    }
    const { probes } = host;
    const to = { host: "192.0.2.2", port: 7_000 };
    await expectAllRefused(ODD, "a probe must be a Uint8Array", (it) => probes?.send(it, to));
    for (const name of ["host", "port"]) {
      await expectAllRefused(oddBut(0), `the ${name} of to`, (it) => {
        return probes?.send(Uint8Array.of(1), { ...to, [name]: it });
      });
    }
    await world.close();
  });
});

it("a link opens streams, sends bytes and is closed with options that are some", async () => {
  const { world, here, link } = await pair();
  await expectAllRefused(oddBut("x"), "a protocol's name", (it) => link.openStream(it));
  for (const refused of [null, 0, "x"]) {
    await expectAllRefused([refused], "options must be an object", (it) =>
      link.openStream("p", it),
    );
    await expectAllRefused([refused], "options must be an object", (it) => link.close(it));
    await expectAllRefused([refused], "options must be an object", (it) => here.host.close(it));
  }
  await expectAllRefused([...oddBut(undefined, null)], "priority must be", (priority) => {
    return link.openStream("p", { priority });
  });
  await expectAllRefused(OPTIONAL, "signal must be", (signal) => link.openStream("p", { signal }));
  await expectAllRefused([...ODD, new Float64Array(1)], "a datagram must be a Uint8Array", (it) => {
    return link.sendDatagram("p", it);
  });
  expect(link.isOpen).toBe(true);
  await world.close();
});

it("a reach is over a host, and reaches nodes", async () => {
  const { world, here, there } = await pair();
  const lookup = { lookup: async () => undefined };
  const parts = { host: here.host, identity, lookup, components: { clock: world.clock } };
  const make = (changed: object) => new Reach({ ...parts, ...changed });
  await expectAllRefused([undefined, null, 0], "options must be an object", (it) => new Reach(it));
  for (const name of ["host", "identity", "lookup"]) {
    await expectAllRefused(ODD, `${name} must be an object with`, (it) => make({ [name]: it }));
  }
  for (const name of ["mayDial", "accepts", "localHosts"]) {
    await expectAllRefused(OPTIONAL, `${name} must be a function`, (it) => make({ [name]: it }));
  }
  const reach = make({});
  const target = { id: there.host.id, addresses: there.host.addresses };
  const [id, odd] = [new Uint8Array(32), ODD.filter((value) => !Array.isArray(value))];
  for (const reaches of [
    (it: never) => reach.dial(it),
    (it: never) => reach.keepPlace(it),
    (it: never) => reach.leave(it),
  ]) {
    await expectAllRefused([undefined, null, 0], "must be", reaches);
  }
  await expectAllRefused(odd.slice(1), "relays must be an array", (relays) => {
    return reach.dial({ ...target, id, relays });
  });
  await expectAllRefused(ODD, "the id of a relay must be", (relay) => {
    return reach.dial({ ...target, id, relays: [relay] });
  });
  await expectAllRefused(ODD, "a listener must be a function", (it) => reach.onPlaces(it));
  reach.close();
  await world.close();
});

it("cores, vouchers and observations are made of what they need", async () => {
  for (const make of [
    (it: never) => new PunchCore(it),
    (it: never) => new HolderCore(it),
    (it: never) => new RelayCore(it),
  ]) {
    await expectAllRefused([undefined, null, 0, {}], "must be an object", make);
  }
  await expectAllRefused(ODD, "bytes must be a Uint8Array", (it) => Voucher.decode(it));
  await expectAllRefused(ODD, "must be", (it) => Voucher.sign(identity, it));
  await expectAllRefused(
    ODD,
    "max must be a positive number",
    (it) => new Observations(it, String),
  );
  await expectAllRefused(ODD, "textOf must be a function", (it) => new Observations(1, it));
});
