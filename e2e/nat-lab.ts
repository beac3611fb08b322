import { execFileSync } from "node:child_process";

/** What an iptables NAT is like: Linux keeps ports where it can, or draws a new one each time. */
export type LabNat = "port-restricted" | "symmetric";

const run = (program: string, ...args: readonly string[]): string =>
  execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/** Why no laboratory can be built here; `undefined` when one can. */
export function whyNoLab(): string | undefined {
  const probe = `cvprobe${process.pid}`;
  try {
    run("ip", "netns", "add", probe);
    run("ip", "netns", "exec", probe, "iptables", "-t", "nat", "-L");
    return undefined;
  } catch (error) {
    const [line = ""] = String(error instanceof Error ? error.message : error).split("\n");
    return `no network namespaces with iptables here (${line})`;
  } finally {
    try {
      run("ip", "netns", "del", probe);
    } catch {
      // It was never made.
    }
  }
}

/**
 * Real NATs in namespaces of the kernel: a public network 192.0.2.0/24 on a bridge with a relay at
 * 192.0.2.1, and homes behind iptables, each with one host.
 */
export class NatLab {
  readonly #prefix = `cv${process.pid % 10_000}`;
  readonly #namespaces: string[] = [];
  #homes = 0;

  constructor() {
    this.#add("pub");
    this.#in("pub", "ip", "link", "add", "br0", "type", "bridge");
    this.#in("pub", "ip", "addr", "add", "192.0.2.1/24", "dev", "br0");
    this.#in("pub", "ip", "link", "set", "br0", "up");
  }

  /** The namespace of the relay. */
  get open(): string {
    return this.#name("pub");
  }

  /** Builds a home and gives the namespace of its host. */
  addHome(nat: LabNat): string {
    this.#homes += 1;
    const n = this.#homes;
    const [router, host, port] = [`nat${n}`, `host${n}`, `p${n}`];
    this.#add(router);
    this.#add(host);
    this.#wire({ name: "pub", end: port }, { name: router, end: "ext" });
    this.#in("pub", "ip", "link", "set", port, "master", "br0");
    this.#in(router, "ip", "addr", "add", `192.0.2.${10 + n}/24`, "dev", "ext");
    this.#wire({ name: router, end: "int" }, { name: host, end: "eth0" });
    this.#in(router, "ip", "addr", "add", `10.${n}.0.1/24`, "dev", "int");
    this.#in(host, "ip", "addr", "add", `10.${n}.0.2/24`, "dev", "eth0");
    this.#in(host, "ip", "route", "add", "default", "via", `10.${n}.0.1`);
    this.#in(router, "sysctl", "-qw", "net.ipv4.ip_forward=1");
    const masquerade = nat === "symmetric" ? ["--random-fully"] : [];
    const rule = ["-t", "nat", "-A", "POSTROUTING", "-o", "ext", "-j", "MASQUERADE"];
    this.#in(router, "iptables", ...rule, ...masquerade);
    // As home routers do: what nobody asked for is dropped before it leaves a trace.
    this.#in(router, "iptables", "-A", "INPUT", "-i", "ext", "-j", "DROP");
    return this.#name(host);
  }

  /** Forgets the mappings of all homes, and gives them other ports: as if they were rebooted. */
  rebindAll(): void {
    for (let n = 1; n <= this.#homes; n++) {
      const old = `192.0.2.${10 + n}/24`;
      this.#in(`nat${n}`, "ip", "addr", "del", old, "dev", "ext");
      this.#in(`nat${n}`, "ip", "addr", "add", `192.0.2.${110 + n}/24`, "dev", "ext");
    }
  }

  close(): void {
    for (const namespace of this.#namespaces) run("ip", "netns", "del", namespace);
  }

  #name(short: string): string {
    return `${this.#prefix}${short}`;
  }

  #add(short: string): void {
    run("ip", "netns", "add", this.#name(short));
    this.#namespaces.push(this.#name(short));
    this.#in(short, "ip", "link", "set", "lo", "up");
  }

  #wire(a: { name: string; end: string }, b: { name: string; end: string }): void {
    const [x, y] = [this.#name(a.name), this.#name(b.name)];
    const args = ["link", "add", a.end, "netns", x, "type", "veth"];
    run("ip", ...args, "peer", "name", b.end, "netns", y);
    for (const { name, end } of [a, b]) this.#in(name, "ip", "link", "set", end, "up");
  }

  #in(short: string, program: string, ...args: readonly string[]): void {
    run("ip", "netns", "exec", this.#name(short), program, ...args);
  }
}
