/** What a Map service has done since its start, and what it holds now. Counts of events. */
export interface MapStatistics {
  /** Askers now, and ever, by whatever way they came. */
  links: number;
  linksOpened: number;
  /** Puts by their answer. */
  putsStored: number;
  putsKnown: number;
  putsConflict: number;
  putsRefused: number;
  putsFull: number;
  putsBusy: number;
  putsWithoutWork: number;
  /** Gets by their answer; cancelled ones had none. */
  getsFound: number;
  getsNotFound: number;
  getsBusy: number;
  getsCancelled: number;
  /** Gets that wait for a put now. */
  waiting: number;
  /** Signatures verified, and those that failed. */
  verified: number;
  verifyFailed: number;
  /** Puts and gets that needed neither a verify nor a read. */
  recentHits: number;
  /** Durable writes, and failures of the store. */
  commits: number;
  storeFailures: number;
  /** Records removed after their expiry. */
  swept: number;
}

/** All zero. */
export function noStatistics(): MapStatistics {
  return {
    links: 0,
    linksOpened: 0,
    putsStored: 0,
    putsKnown: 0,
    putsConflict: 0,
    putsRefused: 0,
    putsFull: 0,
    putsBusy: 0,
    putsWithoutWork: 0,
    getsFound: 0,
    getsNotFound: 0,
    getsBusy: 0,
    getsCancelled: 0,
    waiting: 0,
    verified: 0,
    verifyFailed: 0,
    recentHits: 0,
    commits: 0,
    storeFailures: 0,
    swept: 0,
  };
}
