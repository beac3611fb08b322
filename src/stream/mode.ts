/** What a stream is for; the first byte of its first frame says it. */
export const Mode: { readonly EndToEnd: 1; readonly Multicast: 2 } = Object.freeze({
  EndToEnd: 1,
  Multicast: 2,
});
