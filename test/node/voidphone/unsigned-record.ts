/** An address, and a record there that nobody has signed: who is asked for values verifies none. */
export const KEY = new Uint8Array(32).fill(1);
export const RECORD = {
  address: KEY,
  signature: new Uint8Array(64),
  seq: 1,
  ttlSeconds: 60,
  payload: Uint8Array.of(9),
} as const;
