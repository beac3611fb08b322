import {
  abortError,
  type Cancel,
  type Clock,
  CulvertError,
  isCulvertError,
} from "../../base/index.ts";
import { isLoopback, type NodeAddress } from "../../identity/index.ts";

/** One way that is being tried. */
export interface Attempt<Won> {
  readonly address: NodeAddress;
  /** Resolves with what came of it; rejects when it failed, or `signal` was aborted. */
  run(signal: AbortSignal): Promise<Won>;
  /** Gives up what came of it, when another was faster. */
  discard(won: Won): void;
}

/**
 * Tries several ways, each with a head start over the next; a way that fails lets the next one
 * begin at once. The first to succeed wins, and the others are given up (RFC 8305).
 *
 * @throws CulvertError the code of the last failure, all of them in `cause`
 * @throws Error `AbortError`
 */
export function race<Won>(
  attempts: readonly Attempt<Won>[],
  options: { readonly clock: Clock; readonly staggerMs: number; readonly signal: AbortSignal },
): Promise<{ readonly won: Won; readonly address: NodeAddress }> {
  return new Promise((resolve, reject) => {
    const { clock, staggerMs, signal } = options;
    const others = new AbortController();
    const failures: unknown[] = [];
    let next = 0;
    let isOver = false;
    let cancelTimer: Cancel = () => {};
    const settle = (done: () => void): void => {
      if (isOver) return;
      isOver = true;
      cancelTimer();
      signal.removeEventListener("abort", aborted);
      done();
      others.abort();
    };
    const aborted = (): void => settle(() => reject(abortError(signal)));
    const begin = (): void => {
      cancelTimer();
      const attempt = attempts[next++];
      if (isOver || attempt === undefined) return;
      const { address } = attempt;
      attempt.run(others.signal).then(
        (won) => {
          if (isOver) attempt.discard(won);
          settle(() => resolve({ won, address }));
        },
        (error: unknown) => {
          failures.push(error);
          if (failures.length === attempts.length) settle(() => reject(defeat(failures)));
          else begin();
        },
      );
      cancelTimer = clock.schedule(clock.now() + staggerMs, begin, { background: true });
    };
    if (signal.aborted) aborted();
    else if (attempts.length === 0) settle(() => reject(noAddress()));
    else {
      signal.addEventListener("abort", aborted, { once: true });
      begin();
    }
  });
}

/**
 * The way that won last time first, then UDP and TCP in turns, beginning with the carrier that won:
 * a peer that has moved is in front of the same network of ours, which may drop UDP. Within one
 * machine TCP goes first: no packet gets lost there, nobody has to be punched to, and the kernel
 * carries bytes for less than packets cost here.
 */
export function dialOrder(
  addresses: readonly NodeAddress[],
  remembered: NodeAddress | undefined,
): NodeAddress[] {
  const isRemembered = (address: NodeAddress): boolean =>
    address.carrier === remembered?.carrier &&
    address.host === remembered.host &&
    address.port === remembered.port;
  const first = addresses.filter(isRemembered);
  const rest = addresses.filter((address) => !isRemembered(address));
  const isWithin = ({ carrier, host }: NodeAddress): boolean =>
    carrier === "tcp" && isLoopback(host);
  const within = rest.filter(isWithin);
  const udp = rest.filter(({ carrier }) => carrier === "udp");
  const tcp = rest.filter((address) => address.carrier === "tcp" && !isWithin(address));
  const [former, latter] = remembered?.carrier === "tcp" ? [tcp, udp] : [udp, tcp];
  const turns = Array.from({ length: Math.max(udp.length, tcp.length) }, (_, at) => [
    former[at],
    latter[at],
  ]);
  return [...first, ...within, ...turns.flat().filter((address) => address !== undefined)];
}

/** Somebody else at one address says more than nobody at another. */
function defeat(failures: readonly unknown[]): CulvertError {
  const known = failures.filter((error) => isCulvertError(error));
  const told = known.find(({ code }) => code !== "CULVERT_UNREACHABLE") ?? known.at(-1);
  const cause = failures.length === 1 ? failures[0] : new AggregateError(failures);
  return new CulvertError(told?.code ?? "CULVERT_UNREACHABLE", told?.message, { cause });
}

function noAddress(): CulvertError {
  return new CulvertError(
    "CULVERT_UNREACHABLE",
    "the node has no address that can be dialled here",
  );
}
