import { type NodeId, nodeIdText } from "../../identity/index.ts";
import type { TimerHandle } from "../../retx/index.ts";
import type { HopHandshake } from "../circuit/circuit-build.ts";
import type { SealedEnd } from "../circuit/sealed-end.ts";
import type { ChannelId, CircuitId, RelayInput } from "./relay-protocol.ts";

/** One end of a circuit's way through this node. */
export interface RelayChannel {
  readonly id: ChannelId;
  readonly circuit: RelayCircuit;
  /** Units that were written and are not on their way yet. */
  unsent: number;
  /** Cells that the end here keeps, as they cannot be sent or handed over yet. */
  kept: number;
  /** It has too many of them: its circuit ends, and they are not waited for. */
  isStuck: boolean;
}

/** A channel of a circuit that nothing has gone through yet. */
export function relayChannel(id: ChannelId, circuit: RelayCircuit): RelayChannel {
  return { id, circuit, unsent: 0, kept: 0, isStuck: false };
}

/** What a node keeps of a circuit: some 3 kB, and what waits for its links. */
export class RelayCircuit {
  readonly id: CircuitId;
  readonly from: NodeId;
  /** Whom it counts for. */
  readonly source: string;
  readonly inbound: RelayChannel;
  outbound: RelayChannel | undefined;
  /** The next hop, once its link has a place for this circuit. */
  to: NodeId | undefined;
  /** Waits for its build, for the next hop's answer, or carries cells. */
  state: "waiting" | "building" | "open" = "waiting";
  /** It has said its last word. */
  isEnding = false;
  handshake: HopHandshake | undefined;
  /** At the last hop only. */
  exit: SealedEnd | undefined;
  readonly openRequests: Set<number> = new Set();
  cells = 0;
  life: TimerHandle | undefined;
  beat: TimerHandle | undefined;

  constructor(
    id: CircuitId,
    { from, source = nodeIdText(from), channel }: Omit<RelayInput & { kind: "opened" }, "kind">,
  ) {
    this.id = id;
    this.from = from;
    this.source = source;
    this.inbound = relayChannel(channel, this);
  }
}

/** A timer of a circuit. */
export interface RelayTimer {
  readonly circuit: RelayCircuit;
  readonly kind: "life" | "beat";
}
