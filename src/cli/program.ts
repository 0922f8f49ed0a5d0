/** The command tree: global options, help, and one file per group of commands. */
import { Command, type OutputConfiguration } from "commander";
import { version } from "../agent/version.ts";
import { addAgentCommands } from "./commands/agent.ts";
import { addAgentTypeCommands } from "./commands/agent-type.ts";
import { addDoctorCommand } from "./commands/doctor.ts";
import { addIdentityCommands } from "./commands/identity.ts";
import { addIdentityProfileCommands } from "./commands/identity-profile.ts";
import { addImportCommands } from "./commands/import.ts";
import { addJobCommands } from "./commands/job.ts";
import { addKeyCommands } from "./commands/key.ts";
import { addKeygenCommands } from "./commands/keygen.ts";
import { addLogsCommand } from "./commands/logs.ts";
import { addNetworkCommands } from "./commands/network.ts";
import { addOrganizationCommands } from "./commands/organization.ts";
import { addProjectCommands } from "./commands/project.ts";
import { addRecoverCommand } from "./commands/recover.ts";
import { addRotateCommands } from "./commands/rotate.ts";
import { addSealingCommands } from "./commands/sealing.ts";
import { addServeCommand } from "./commands/serve.ts";
import { addSigningKeysCommand } from "./commands/signing-keys.ts";
import { addStartCommand } from "./commands/start.ts";
import { addTokenCommands } from "./commands/token.ts";
import { addTrustCommands } from "./commands/trust.ts";
import { type Cli, defaultPort } from "./context.ts";
import { exitCodeHelp } from "./exit.ts";

const environmentHelp = `Environment:
  SIGNALBOX_URL    the server's address
  SIGNALBOX_TOKEN  an API token; never for an agent, whose jobs could read it
  SIGNALBOX_WRANGLER  the wrangler that writes secrets (default: the one installed here)
  SIGNALBOX_DATA   the data folder of a local server (default: .signalbox beside package.json)
  NO_COLOR         no colours, even on a terminal`;

export function createProgram(cli: Cli, helpOutput: OutputConfiguration = {}): Command {
  const program = new Command("signalbox")
    .description("Keys, identities and live logs for CI jobs.")
    .version(version, "--version", "the version of this command")
    .option(
      "--url <url>",
      `the server's address (default: SIGNALBOX_URL, the local server's, http://127.0.0.1:${defaultPort})`,
    )
    .option(
      "--token-file <file>",
      "file that holds the API token, - for standard input (default: SIGNALBOX_TOKEN, the local owner's)",
    )
    .option("--data <dir>", "the data folder of a local server")
    .option("--json", "results as JSON")
    .addHelpText("after", `\n${environmentHelp}\n\n${exitCodeHelp}`)
    .showHelpAfterError("(--help shows how)")
    .exitOverride()
    .configureOutput(helpOutput);
  const groups = [
    addStartCommand,
    addServeCommand,
    addDoctorCommand,
    addOrganizationCommands,
    addProjectCommands,
    addKeyCommands,
    addAgentTypeCommands,
    addAgentCommands,
    addIdentityCommands,
    addIdentityProfileCommands,
    addTokenCommands,
    addNetworkCommands,
    addTrustCommands,
    addJobCommands,
    addLogsCommand,
    addKeygenCommands,
    addSigningKeysCommand,
    addRotateCommands,
    addSealingCommands,
    addRecoverCommand,
    addImportCommands,
  ];
  for (const add of groups) add(program, cli);
  inheritSettings(program);
  return program;
}

/** Commands are made before they are hung into the tree, so they do not inherit how errors end. */
function inheritSettings(command: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    inheritSettings(child);
  }
}
