/**
 * `npm start`: everything on this machine, from nothing to a first job and its log. It makes what is absent,
 * keeps what is there, and stops what it started.
 */
import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "../../client/client.ts";
import { type Cli, dataFolder, repositoryRoot } from "../context.ts";
import { exitCodes, Failure } from "../exit.ts";
import { interruption } from "../interruption.ts";
import { type Child, childEnvironment, startChild } from "./child.ts";
import { type DataFolder, openDataFolder, writePrivate } from "./data-folder.ts";
import { demoSecret } from "./demo-secret.ts";
import { runFirstJob } from "./first-job.ts";
import { freePort } from "./port.ts";
import { closingWords, createProgress, type Progress } from "./progress.ts";
import { loadSecrets } from "./secrets.ts";
import { declineEscrow, demoNames, ownerToken, prepareDemo } from "./setup.ts";
import { requireSshKeygen } from "./ssh-key.ts";
import { migrate, startWorker, unexpectedEnd } from "./worker.ts";

export interface StartOptions {
  port: number;
  once: boolean;
}

export async function start(cli: Cli, options: StartOptions): Promise<void> {
  requireSshKeygen(cli.env.PATH ?? "");
  const progress = createProgress(cli.output);
  const folder = await openDataFolder(dataFolder(cli));
  const children: Child[] = [];
  try {
    progress.say(`data folder ${folder.path}`);
    const port = await freePort(options.port);
    await work(cli, options, { folder, progress, children, port, baseUrl: `http://127.0.0.1:${port}` });
  } finally {
    // The agent first: it says goodbye to the Worker.
    for (const child of children.reverse()) await child.stop();
    await rm(folder.registrationToken, { force: true });
    folder.release();
  }
}

interface Site {
  folder: DataFolder;
  progress: Progress;
  children: Child[];
  port: number;
  baseUrl: string;
}

async function work(cli: Cli, options: StartOptions, site: Site): Promise<void> {
  const { folder, progress, children, baseUrl } = site;
  const { secrets, made } = await loadSecrets(folder.secrets);
  progress.say(made ? `made local secrets in ${folder.secrets}` : "local secrets found");
  const sealingKey = secrets.ACCESS_KEY_ENCRYPTION ?? "";
  const secret = demoSecret(cli.env.SIGNALBOX_DEMO_SECRET, sealingKey);
  await migrate(folder, { ...cli.env }, cli.signal);
  progress.say("database is up to date");
  const worker = await startWorker(folder, site.port, { ...cli.env }, cli.signal);
  children.push(worker);
  const failure = watched(unexpectedEnd(worker, "Worker", folder.workerLog));
  await Promise.race([failure, mustBeHealthy(cli, site)]);
  progress.say(`Worker is up on ${baseUrl}`);
  const owner = { organization: demoNames.organization, tokenName: "npm start" };
  const token = await ownerToken(folder, secrets, { baseUrl, signal: cli.signal, owner });
  await writePrivate(folder.baseUrl, `${baseUrl}\n`);
  const client = createClient({ baseUrl, token, signal: cli.signal });
  await declineEscrow(client);
  const demo = await prepareDemo(client, folder, sealingKey, secret);
  progress.say(`project ${demo.project.name}, agent type ${demo.agentType.name}, two sealed keys`);
  const agent = await startAgent(cli, site, client, demo.agentType.id);
  const broken = watched(Promise.race([failure, unexpectedEnd(agent, "agent", folder.agentLog)]));
  const firstJob = runFirstJob({ cli, client, baseUrl, token, demo, secret, folder, progress });
  const passed = await Promise.race([broken, firstJob]);
  if (!passed) cli.setExitCode(exitCodes.failed);
  if (options.once) return;
  for (const line of await closingWords(baseUrl, folder, cli)) cli.output.line(line);
  // The children's channels keep us running till then.
  await Promise.race([broken, interruption(cli.signal)]);
  cli.output.line("stopping");
}

/** The Worker names a bad secret, and never quotes it. */
async function mustBeHealthy(cli: Cli, { baseUrl, folder }: Site): Promise<void> {
  const health = await createClient({ baseUrl, signal: cli.signal }).health();
  const [problem] = health.problems;
  if (!problem) return;
  const { binding, detail } = problem;
  throw new Failure(`the Worker cannot use ${binding}, which ${detail}; local secrets are in ${folder.secrets}`);
}

async function startAgent(cli: Cli, site: Site, client: ReturnType<typeof createClient>, agentTypeId: string) {
  const { folder, children, progress } = site;
  const made = await client.agentTypes.createRegistrationToken(agentTypeId, { uses: 1, expires_in_seconds: 600 });
  await writePrivate(folder.registrationToken, `${made.token ?? ""}\n`);
  const name = `local-${randomUUID().slice(0, 8)}`;
  const agent = startChild({
    script: join(repositoryRoot, "src/cli/main.ts"),
    args: ["agent", "start", "--endpoint", site.baseUrl, "--token-file", folder.registrationToken, "--name", name],
    env: childEnvironment(cli.env),
    logFile: folder.agentLog,
    endBy: "SIGTERM",
  });
  children.push(agent);
  progress.say(`agent ${name} started`);
  return agent;
}

/** Raced again and again; between the races, and once we stop it ourselves, nobody need hear of it. */
function watched(failure: Promise<never>): Promise<never> {
  failure.catch(() => undefined);
  return failure;
}
