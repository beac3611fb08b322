/** The code of an error of the system or of Node, as `ENOENT`; `undefined` of anything else. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
