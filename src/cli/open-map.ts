import type { Transport } from "../transport/index.ts";

/** A Map that is connected. */
export interface OpenMap {
  readonly transport: Transport;
  close(): Promise<void> | void;
}
