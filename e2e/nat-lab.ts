import { Namespaces, whyNotInNamespace } from "./namespaces.ts";

/** What an iptables NAT is like: Linux keeps ports where it can, or draws a new one each time. */
export type LabNat = "port-restricted" | "symmetric";

/** Why no laboratory can be built here; `undefined` when one can. */
export function whyNoLab(): string | undefined {
  return whyNotInNamespace("iptables", "-t", "nat", "-L");
}

/**
 * Real NATs in namespaces of the kernel: a public network 192.0.2.0/24 on a bridge with a relay at
 * 192.0.2.1, and homes behind iptables, each with one host.
 */
export class NatLab {
  readonly #namespaces = new Namespaces("n");
  #homes = 0;
  #openAddresses = 0;

  constructor() {
    this.#namespaces.add("pub");
    this.#namespaces.in("pub", "ip", "link", "add", "br0", "type", "bridge");
    this.#namespaces.in("pub", "ip", "addr", "add", "192.0.2.1/24", "dev", "br0");
    this.#namespaces.in("pub", "ip", "link", "set", "br0", "up");
  }

  /** The namespace of the relay. */
  get open(): string {
    return this.#namespaces.name("pub");
  }

  /** One more public address of the open namespace, of a network of its own. */
  addOpenAddress(): string {
    this.#openAddresses += 1;
    const address = `198.18.${this.#openAddresses}.1`;
    this.#namespaces.in("pub", "ip", "addr", "add", `${address}/15`, "dev", "br0");
    return address;
  }

  /** Has the router of the last home pass on what comes to a port of its own. */
  forward(port: number): void {
    const n = this.#homes;
    for (const protocol of ["udp", "tcp"]) {
      const what = ["-i", "ext", "-p", protocol, "--dport", String(port)];
      const to = ["-j", "DNAT", "--to-destination", `10.${n}.0.2`];
      this.#namespaces.in(`nat${n}`, "iptables", "-t", "nat", "-A", "PREROUTING", ...what, ...to);
    }
  }

  /** Builds a home and gives the namespace of its host. */
  addHome(nat: LabNat): string {
    this.#homes += 1;
    const n = this.#homes;
    const [router, host, port] = [`nat${n}`, `host${n}`, `p${n}`];
    this.#namespaces.add(router);
    this.#namespaces.add(host);
    this.#namespaces.wire({ name: "pub", end: port }, { name: router, end: "ext" });
    this.#namespaces.in("pub", "ip", "link", "set", port, "master", "br0");
    this.#namespaces.in(router, "ip", "addr", "add", `192.0.2.${10 + n}/24`, "dev", "ext");
    this.#namespaces.in(router, "ip", "route", "add", "198.18.0.0/15", "dev", "ext");
    this.#namespaces.wire({ name: router, end: "int" }, { name: host, end: "eth0" });
    this.#namespaces.in(router, "ip", "addr", "add", `10.${n}.0.1/24`, "dev", "int");
    this.#namespaces.in(host, "ip", "addr", "add", `10.${n}.0.2/24`, "dev", "eth0");
    this.#namespaces.in(host, "ip", "route", "add", "default", "via", `10.${n}.0.1`);
    this.#namespaces.in(router, "sysctl", "-qw", "net.ipv4.ip_forward=1");
    const masquerade = nat === "symmetric" ? ["--random-fully"] : [];
    const rule = ["-t", "nat", "-A", "POSTROUTING", "-o", "ext", "-j", "MASQUERADE"];
    this.#namespaces.in(router, "iptables", ...rule, ...masquerade);
    // As home routers do: what nobody asked for is dropped before it leaves a trace.
    this.#namespaces.in(router, "iptables", "-A", "INPUT", "-i", "ext", "-j", "DROP");
    return this.#namespaces.name(host);
  }

  /** Forgets the mappings of all homes, and gives them other ports: as if they were rebooted. */
  rebindAll(): void {
    for (let n = 1; n <= this.#homes; n++) {
      const old = `192.0.2.${10 + n}/24`;
      this.#namespaces.in(`nat${n}`, "ip", "addr", "del", old, "dev", "ext");
      this.#namespaces.in(`nat${n}`, "ip", "addr", "add", `192.0.2.${110 + n}/24`, "dev", "ext");
    }
  }

  close(): void {
    this.#namespaces.close();
  }
}
