import { CulvertError } from "../../base/index.ts";
import type { RunCommand } from "../arguments/command-spec.ts";
import { completionScript, SHELLS } from "../arguments/completion.ts";

/** `culvert completion`: the script for one of the shells. */
export const completion: RunCommand = async ({ output, commands }, [wanted]) => {
  const shell = SHELLS.find((name) => name === wanted);
  if (shell === undefined) {
    const known = SHELLS.join(", ");
    throw new CulvertError(
      "CULVERT_USAGE",
      `there is no script for "${wanted}", only for ${known}`,
    );
  }
  output.payload(completionScript(shell, commands));
};
