import { Writable } from "node:stream";
import { Output } from "../../src/cli/terminal/output.ts";

/** A terminal, or a file, that remembers what was written to it. */
export class FakeScreen extends Writable {
  readonly isTTY: boolean;
  readonly columns = 100;
  text = "";

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.text += new TextDecoder().decode(chunk);
    done();
  }
}

/** The command's voice, with stdout and stderr on one screen. */
export function outputOn(screen: FakeScreen, json: boolean, env: NodeJS.ProcessEnv = {}): Output {
  return new Output({ stdout: screen, stderr: screen, json, verbose: false, env });
}
