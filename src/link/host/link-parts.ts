import type { Clock, Instant } from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { DatagramListener, StreamHandler } from "../contract.ts";
import type { LinkLimits } from "../limits.ts";
import type { Hello } from "../mux/link-records.ts";
import type { CoreLink } from "./core-link.ts";

/** What a link needs of its host. */
export interface LinkOwner {
  readonly id: NodeId;
  readonly clock: Clock;
  readonly limits: LinkLimits;
  /** Who takes a stream that no handler of the link takes. */
  handlerOf(protocol: string): StreamHandler | undefined;
  listenerOf(protocol: string): DatagramListener | undefined;
  /** A peer owes an answer, and was not heard since then. */
  answerLate(since: Instant): void;
  /** The path is gone, and there is no other yet. */
  pathLost(link: CoreLink): void;
  /** The link is over. */
  over(link: CoreLink): void;
}

/** What a link is made from. */
export interface CoreLinkOptions {
  readonly owner: LinkOwner;
  readonly peerKey: Uint8Array;
  readonly isInitiator: boolean;
  /** 16 bytes that name it between the two nodes. */
  readonly linkId: Uint8Array;
  readonly peer: Pick<Hello, "streams" | "streamWindow">;
  /** The unit of fairness that a link which came in counts for. */
  readonly source: string | undefined;
  /** The network that its first path leads to, or that of the relay in between. */
  readonly place: string;
}
