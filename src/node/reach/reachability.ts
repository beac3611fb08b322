import { type Cancel, type Clock, Driver, type Log, unreachable } from "../../base/index.ts";
import {
  addressPrefix,
  formatNodeAddress,
  type NodeAddress,
  type NodeDescriptor,
} from "../../identity/index.ts";
import { type LinkHost, Observations } from "../../link/index.ts";
import type { Overlay } from "../overlay.ts";
import { DIAL_BACK_ADDRESSES_MAX } from "./dial-back.ts";
import { isPublic, type OwnPlace } from "./own-place.ts";
import {
  ReachabilityCore,
  type ReachabilityEffect,
  type ReachabilityInput,
} from "./reachability-core.ts";

/** Nodes that are asked in one round. */
const ASKED_MAX = 3;
/** Nodes that they are drawn from: some are of one network, or reached by relays themselves. */
const DRAWN_MAX = 12;
/** Peers whose word is kept of where they see this node, the last ones. */
const OBSERVERS_MAX = 16;
/** Hosts that are looked at: one of each family. */
const HOSTS_MAX = 2;

/** What finding out about one's place is made of. */
export interface ReachabilityComponents {
  readonly host: Pick<LinkHost, "addresses" | "onObserved">;
  readonly overlay: Pick<Overlay, "discover" | "askToDialBack">;
  readonly place: Pick<OwnPlace, "listening" | "move" | "onChange">;
  readonly clock: Clock;
  readonly log: Log;
}

/** Keeps a node's {@link OwnPlace} true: the shell of a {@link ReachabilityCore}. */
export class Reachability {
  readonly #components: ReachabilityComponents;
  readonly #driver: Driver<ReachabilityInput, ReachabilityEffect>;
  readonly #seen = new Observations(OBSERVERS_MAX, formatNodeAddress);
  readonly #stopObserving: Cancel;
  #stopWatching: Cancel = () => {};
  readonly #closing = new AbortController();

  constructor(components: ReachabilityComponents) {
    this.#components = components;
    const { clock, host } = components;
    this.#driver = new Driver(new ReachabilityCore(), clock, (effect) => this.#perform(effect));
    this.#driver.setBackground(true);
    this.#stopObserving = host.onObserved(({ address, by, remote }) => {
      this.#seen.take({ address, by, from: remote?.host }, clock.now());
    });
  }

  /**
   * Looks now, from time to time, and when the machine has other addresses: called once there are
   * others to ask.
   */
  start(): void {
    const look = (): void => this.#driver.handle({ kind: "look" });
    this.#stopWatching = this.#components.place.onChange(look);
    look();
  }

  close(): void {
    this.#closing.abort();
    this.#stopObserving();
    this.#stopWatching();
    this.#driver.stop();
  }

  #perform(effect: ReachabilityEffect): void {
    const { place, log } = this.#components;
    switch (effect.kind) {
      case "ask":
        void this.#ask().then((answers) => this.#driver.handle(answers));
        break;
      case "reached":
        log("info", "reached-directly", {
          addresses: effect.addresses.map(formatNodeAddress).join(),
        });
        place.move(effect.addresses);
        break;
      case "unreached":
        log("warn", "not-reached-directly", { so: "places at relays are looked for" });
        place.move([]);
        break;
      default:
        unreachable(effect);
    }
  }

  async #ask(): Promise<ReachabilityInput> {
    const { overlay } = this.#components;
    const { signal } = this.#closing;
    try {
      const drawn = await overlay.discover(DRAWN_MAX, { signal });
      const candidates = this.#candidates();
      const answers = await Promise.allSettled(
        chosen(drawn).map(({ id }) => overlay.askToDialBack(id, candidates, { signal })),
      );
      const verdicts = answers.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
      const isExpected = this.#components.place.listening.some(isPublic);
      return { kind: "answers", candidates, isExpected, verdicts };
    } catch {
      return { kind: "answers", candidates: [], isExpected: true, verdicts: [] };
    }
  }

  /** Where others have seen this node, and its own ports there, in case they are forwarded. */
  #candidates(): readonly NodeAddress[] {
    const { host: links, place } = this.#components;
    const all = this.#seen.list(Number.NEGATIVE_INFINITY);
    const seen = all.map(({ address }) => address).filter(isPublic);
    const known = [...place.listening.filter(isPublic), ...seen];
    const hosts = [...new Set(known.map(({ host }) => host))].slice(0, HOSTS_MAX);
    const own = links.addresses;
    const forwarded = hosts.flatMap((host) => own.map((address) => ({ ...address, host })));
    const mapped = seen.filter(({ carrier, host }) => carrier === "udp" && hosts.includes(host));
    return unique([...forwarded, ...mapped]).slice(0, DIAL_BACK_ADDRESSES_MAX);
  }
}

/**
 * Nodes that are reached directly, of different networks as far as there are some. Whoever is in a
 * private network cannot say what strangers reach.
 */
function chosen(drawn: readonly NodeDescriptor[]): readonly NodeDescriptor[] {
  const networks = new Set<string>();
  const others: NodeDescriptor[] = [];
  const first = drawn.filter((descriptor) => {
    const address = descriptor.claims.addresses.find(isPublic);
    if (address === undefined) return false;
    const network = addressPrefix(address.host);
    if (!networks.has(network)) return networks.add(network);
    others.push(descriptor);
    return false;
  });
  return [...first, ...others].slice(0, ASKED_MAX);
}

function unique(addresses: readonly NodeAddress[]): readonly NodeAddress[] {
  return [...new Map(addresses.map((one) => [formatNodeAddress(one), one])).values()];
}
