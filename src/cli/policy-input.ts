/** Trust policies as the command line gets them: from a file or standard input, and what is said of a wrong one. */
import { Option } from "commander";
import { PolicyText } from "../protocol/trust.ts";
import { PolicyError } from "../trust/policy-error.ts";
import { type Cli, readInput } from "./context.ts";
import { UsageError } from "./exit.ts";

export async function readPolicy(cli: Cli, file: string): Promise<string> {
  const parsed = PolicyText.safeParse(await readInput(cli, file));
  if (parsed.success) return parsed.data;
  throw new UsageError(`${nameOf(file)}: ${parsed.error.issues[0]?.message ?? "is no policy"}`);
}

/**
 * A policy that does not parse is a file that is wrong.
 * @param file where what is read comes from, if anywhere.
 */
export function readable<Result>(work: () => Result, file?: string): Result {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    // What is said of the token says so itself.
    const isOfFile = file !== undefined && error.at !== "token";
    throw new UsageError(isOfFile ? `${nameOf(file)}: ${error.message}` : error.message);
  }
}

export function cloudOption(choices: readonly string[]): Option {
  return new Option("--cloud <cloud>", "whose policy").choices(choices).makeOptionMandatory();
}

function nameOf(file: string): string {
  return file === "-" ? "standard input" : file;
}
