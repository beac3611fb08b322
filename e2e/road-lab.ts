import { Namespaces, whyNotInNamespace } from "./namespaces.ts";

/** What a line does to each packet that leaves a host, as `tc netem` takes it. */
const NETEM = ["netem", "delay", "15ms", "3ms", "distribution", "normal", "loss", "1%"] as const;
/** A kernel without it can still lose packets that come in. */
const DROP = [
  "-m",
  "statistic",
  "--mode",
  "random",
  "--probability",
  "0.01",
  "-j",
  "DROP",
] as const;

/** What lines can be made to do on this machine, or why there is no laboratory. */
export type Weather =
  | { readonly kind: "slow" | "lossy" }
  | { readonly kind: "none"; readonly reason: string };

export function weatherHere(): Weather {
  if (whyNotInNamespace("tc", "qdisc", "add", "dev", "lo", "root", ...NETEM) === undefined) {
    return { kind: "slow" };
  }
  const reason = whyNotInNamespace("iptables", "-A", "INPUT", ...DROP);
  return reason === undefined ? { kind: "lossy" } : { kind: "none", reason };
}

/** A host of a laboratory. */
export interface LabHost {
  /** What starts a program there. */
  readonly launcher: readonly string[];
  /** Its own address, of a network that no other host has a part in. */
  readonly ipv4: string;
  readonly ipv6: string;
}

/**
 * Hosts in network namespaces of the kernel, all on one bridge, with public addresses of different
 * networks: clients keep their rules for the open internet. Lines lose packets, and delay them.
 */
export class RoadLab {
  readonly #namespaces = new Namespaces("r");
  readonly #weather: Weather;
  #hosts = 0;

  constructor(weather: Weather) {
    this.#weather = weather;
    this.#namespaces.add("pub");
    this.#namespaces.in("pub", "ip", "link", "add", "br0", "type", "bridge");
    this.#namespaces.in("pub", "ip", "link", "set", "br0", "up");
  }

  addHost(): LabHost {
    this.#hosts += 1;
    const n = this.#hosts;
    const [host, port] = [`h${n}`, `p${n}`];
    const net = this.#namespaces;
    net.add(host);
    net.wire({ name: "pub", end: port }, { name: host, end: "eth0" });
    net.in("pub", "ip", "link", "set", port, "master", "br0");
    const ipv4 = `198.18.${n}.1`;
    const ipv6 = `2001:db8:0:${n.toString(16)}00::1`;
    net.in(host, "ip", "addr", "add", `${ipv4}/15`, "dev", "eth0");
    net.in(host, "ip", "-6", "addr", "add", `${ipv6}/32`, "dev", "eth0", "nodad");
    if (this.#weather.kind === "slow") {
      net.in(host, "tc", "qdisc", "add", "dev", "eth0", "root", ...NETEM);
    } else {
      for (const tables of ["iptables", "ip6tables"]) {
        net.in(host, tables, "-A", "INPUT", "-i", "eth0", ...DROP);
      }
    }
    return { launcher: ["ip", "netns", "exec", net.name(host)], ipv4, ipv6 };
  }

  /** Cuts hosts off, the first one being number 0, until {@link heal}. */
  cut(...hosts: readonly number[]): void {
    for (const at of hosts) this.#namespaces.in("pub", "ip", "link", "set", `p${at + 1}`, "down");
  }

  heal(...hosts: readonly number[]): void {
    for (const at of hosts) this.#namespaces.in("pub", "ip", "link", "set", `p${at + 1}`, "up");
  }

  close(): void {
    this.#namespaces.close();
  }
}
