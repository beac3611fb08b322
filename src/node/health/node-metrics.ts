import { Counter, Gauge, Registry } from "prom-client";
import { serveText } from "../../io/text-server.ts";

/** Numbers of one part of a node, read when somebody asks. */
export interface MetricSource {
  /** As in `culvert_map`: the first half of every name. */
  readonly prefix: string;
  /** What the numbers are of, for the help text. */
  readonly about: string;
  /** Names in camel case. Those in `gauges` may fall; all others only grow. */
  readonly read: () => Readonly<Record<string, number>>;
  readonly gauges?: readonly string[];
}

/**
 * The metrics of a node in Prometheus' text format. They hold numbers and no label: no id, no
 * address, nothing that says who talks to whom.
 */
export class NodeMetrics {
  readonly #registry = new Registry();

  /** Adds the numbers of a part; a prefix is added once. */
  add({ prefix, about, read, gauges = [] }: MetricSource): void {
    for (const key of Object.keys(read())) {
      const words = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const help = `${about}: ${words.replaceAll("_", " ").trim()}`;
      const registers = [this.#registry];
      if (gauges.includes(key)) {
        new Gauge({
          name: `${prefix}_${words}`,
          help,
          registers,
          collect() {
            this.set(read()[key] ?? 0);
          },
        });
      } else {
        new Counter({
          name: `${prefix}_${words}_total`,
          help,
          registers,
          collect() {
            this.reset();
            this.inc(read()[key] ?? 0);
          },
        });
      }
    }
  }

  /** All of them as they are now. */
  async text(): Promise<string> {
    return await this.#registry.metrics();
  }

  /**
   * Shows them at `/metrics`, on a port of the loopback as a rule: whoever asks is not asked back.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE` when nothing can listen there
   */
  async serve(where: {
    readonly host: string;
    readonly port: number;
  }): Promise<{ readonly port: number; readonly close: () => Promise<void> }> {
    const { contentType } = this.#registry;
    return await serveText(where, { path: "/metrics", contentType, text: () => this.text() });
  }
}
