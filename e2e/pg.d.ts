/** What the tests use of the package, which has no types of its own. */
declare module "pg" {
  import type { Duplex } from "node:stream";

  export interface Result {
    readonly rows: readonly Readonly<Record<string, unknown>>[];
    readonly rowCount: number | null;
  }

  export interface Query {
    /** A statement with a name is prepared once, and executed by its name from then on. */
    readonly name?: string;
    readonly text: string;
    readonly values?: readonly unknown[];
  }

  export class Client {
    constructor(options: {
      readonly user: string;
      readonly database: string;
      readonly password?: string;
      readonly stream: () => Duplex;
    });
    connect(): Promise<void>;
    query(query: string | Query, values?: readonly unknown[]): Promise<Result>;
    end(): Promise<void>;
    on(event: "error", listener: (error: Error) => void): this;
  }
}
