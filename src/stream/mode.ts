/** What a stream is for; the first byte of its first frame says it. */
export const Mode = Object.freeze({ EndToEnd: 1, Multicast: 2 } as const);
