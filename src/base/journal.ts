/** One atomic, durable change of a stream's journal. */
export interface JournalChanges {
  /** Replaces the head: everything but what `put` has, as versioned CBOR. Holds secrets. */
  readonly head: Uint8Array;
  /**
   * What to keep until it is removed: sealed frames, what a halted writer has not framed, what a
   * reader has begun to use. The latter two are secret and of any length. Names match
   * `[a-z0-9]{1,32}`.
   */
  readonly put: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  /** Names that are no longer needed. */
  readonly remove: readonly string[];
}

/**
 * Where one stream's state survives. `commit` resolves when the change is durable; a crash before
 * that leaves either all of it or none. Commits do not overlap; a `read` may run beside one. Errors
 * are `CULVERT_JOURNAL`, and `CULVERT_BAD_STATE` for what is not as it was committed. Byte arrays
 * are borrowed until the promise settles, results are owned by the caller.
 */
export interface Journal {
  /** The last durable head, or `undefined` for a stream that has none yet. */
  load(): Promise<Uint8Array | undefined>;
  commit(changes: JournalChanges): Promise<void>;
  read(name: string): Promise<Uint8Array | undefined>;
  /** All names with bytes, for a whole copy of the state. */
  names(): Promise<string[]>;
  close(): Promise<void>;
}

/** A place for the journals of many streams, by an id that reveals nothing of their secrets. */
export interface JournalStore {
  /** @throws CulvertError `CULVERT_STATE_IN_USE` while this stream's journal is open elsewhere */
  open(streamId: string): Promise<Journal>;
}
