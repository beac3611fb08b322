/** Runs a function soon, after the other events that are ready had their chance. */
export function defer(run: () => void): void {
  setImmediate(run);
}
