import { onTestFinished, vi } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { systemRandom } from "../../src/io/random.ts";

/** The chance of the machine (nonces, gaps) follows from a seed, too, until the test is over. */
export function seedMachine(): (seed: number) => void {
  let random = new SeededRandom(0);
  const mocks = [
    vi.spyOn(systemRandom, "bytes").mockImplementation((length) => random.bytes(length)),
    vi.spyOn(systemRandom, "unit").mockImplementation(() => random.unit()),
  ];
  onTestFinished(() => {
    for (const mock of mocks) mock.mockRestore();
  });
  return (seed) => {
    random = new SeededRandom(-seed);
  };
}
