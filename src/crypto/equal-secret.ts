/**
 * Compares secret bytes in time that depends on their length only.
 *
 * JavaScript promises no constant time; this leaves no branch on the contents to begin with.
 */
export function equalSecret(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}
