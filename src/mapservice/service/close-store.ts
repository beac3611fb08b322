import { type Clock, CulvertError } from "../../base/index.ts";
import type { RecordStore } from "../store/record-store.ts";

/** How long a store may take to close. Behind a write that hangs it would take for ever. */
const CLOSE_MS = 10_000;

/**
 * Closes a store, or lets go of it when that takes too long: what is beneath it hangs. It stays in
 * use then until that goes on, or the process ends. What it has confirmed is durable either way.
 *
 * @throws CulvertError of the store; `CULVERT_TIMEOUT` when it hangs
 */
export function closeStore(store: RecordStore, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = clock.schedule(clock.now() + CLOSE_MS, () => {
      reject(new CulvertError("CULVERT_TIMEOUT", "the store hangs, and could not be closed"));
    });
    void store.close().then(resolve, reject).finally(giveUp);
  });
}
