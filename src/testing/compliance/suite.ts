import { assert, type ErrorCode, isAbortError, isCulvertError } from "../../base/index.ts";

/** Registers one case with the test runner at hand: `test` or `it` of most of them. */
export type RegisterTest = (name: string, run: () => Promise<void>) => void;

/** What a suite needs besides its own subject: a way to put everything away. */
export interface Fixture {
  teardown(): Promise<void>;
}

/** Cases of one contract, by the behaviour that each one asks for. */
export type Cases<F extends Fixture> = Readonly<Record<string, (fixture: F) => Promise<void>>>;

/** Registers every case, each with a fixture of its own that is put away whatever happens. */
export function registerCases<F extends Fixture>(
  test: RegisterTest,
  setup: () => Promise<F>,
  cases: Cases<F>,
): void {
  for (const [name, check] of Object.entries(cases)) {
    test(name, async () => {
      const fixture = await setup();
      try {
        await check(fixture);
      } finally {
        await fixture.teardown();
      }
    });
  }
}

/** Asserts that `promise` is rejected with this code, or with an error of this name. */
export async function expectFailure(
  promise: Promise<unknown>,
  expected: ErrorCode | "AbortError",
): Promise<void> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  const isExpected =
    expected === "AbortError" ? isAbortError(outcome) : isCulvertError(outcome, expected);
  assert(isExpected, `fails with ${expected}, not with ${outcome}`);
}
