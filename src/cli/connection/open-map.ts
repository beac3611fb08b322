import type { Transport } from "../../transport/index.ts";

/** A Map that is connected. */
export interface OpenMap {
  readonly transport: Transport;
  close(): Promise<void> | void;
}

/** Every network is one Map to a session: nodes come and go, and lead to the same records. */
export const NETWORK = "network";
