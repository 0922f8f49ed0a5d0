/** What the first start makes on the server, and later ones find again: owner, project, agent type, keys. */
import * as z from "zod";
import { type Client, createClient } from "../../client/client.ts";
import { ApiProblem, parseJson } from "../../client/errors.ts";
import type { AgentType } from "../../protocol/agent-types.ts";
import type { Project } from "../../protocol/projects.ts";
import { Failure } from "../exit.ts";
import { agentTypeNamed, keyNamed, projectNamed } from "../resolve.ts";
import { type DataFolder, readIfThere, writePrivate } from "./data-folder.ts";
import { secretFingerprint } from "./demo-secret.ts";
import type { Secrets } from "./secrets.ts";
import { newSshKey } from "./ssh-key.ts";

export const demoNames = {
  organization: "local",
  project: "demo",
  agentType: "local",
  sshKey: "demo-deploy",
  secretKey: "demo-secret",
} as const;

export interface Demo {
  project: Project;
  agentType: AgentType;
  publicKey: string;
  /** Text of the private half that must be nowhere in clear; known only where the key was just made. */
  privateText: string | null;
}

/** What must be known of the keys on later starts. */
const Memory = z.object({ public_key: z.string(), secret_fingerprint: z.string() }).partial();
type Memory = z.infer<typeof Memory>;

export interface FirstOwner {
  readonly organization: string;
  readonly tokenName: string;
}

/** The owner's token that the folder keeps; where it keeps none, the first owner's, who is let in now. */
export async function ownerToken(
  folder: DataFolder,
  secrets: Secrets,
  { baseUrl, signal, owner }: { baseUrl: string; signal: AbortSignal; owner: FirstOwner },
): Promise<string> {
  const kept = (await readIfThere(folder.ownerToken))?.trim();
  if (kept) {
    await mustBeAccepted(createClient({ baseUrl, token: kept, signal }), folder);
    return kept;
  }
  const answer = await bootstrap(createClient({ baseUrl, signal }), secrets.BOOTSTRAP_TOKEN ?? "", folder, owner);
  await writePrivate(folder.ownerToken, `${answer}\n`);
  return answer;
}

/** A server on this machine to try things out asks nobody to keep a copy of its key: doctor says that none is kept. */
export async function declineEscrow(client: Client): Promise<void> {
  const { seals_with, items } = await client.sealing.status();
  const key = items.find(({ key_id }) => key_id === seals_with);
  if (key?.escrow === null) await client.sealing.escrow({ key_id: seals_with, how: "declined" });
}

async function mustBeAccepted(client: Client, folder: DataFolder): Promise<void> {
  try {
    await client.whoami();
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.status !== 401) throw error;
    throw new Failure(
      `${folder.ownerToken} is no token of this database: put the right one there, or remove ${folder.path}`,
    );
  }
}

async function bootstrap(
  client: Client,
  bootstrapToken: string,
  folder: DataFolder,
  { organization, tokenName }: FirstOwner,
): Promise<string> {
  if (bootstrapToken.trim() === "") throw new Failure(`BOOTSTRAP_TOKEN is missing in ${folder.secrets}`);
  try {
    const made = await client.bootstrap({
      bootstrap_token: bootstrapToken,
      organization,
      token_name: tokenName,
    });
    if (made.token.token) return made.token.token;
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.status >= 500) throw error;
    throw new Failure(
      `the first owner could not be made (${error.detail}); if its token is lost, remove ${folder.path}`,
    );
  }
  throw new Failure("the first owner was made, but the answer held no token");
}

export async function prepareDemo(
  client: Client,
  folder: DataFolder,
  sealingKey: string,
  secret: string,
): Promise<Demo> {
  const project = (await projectNamed(client, demoNames.project)) ?? (await createProject(client));
  const agentType =
    (await agentTypeNamed(client, demoNames.agentType)) ??
    (await client.agentTypes.create({ name: demoNames.agentType, policy: { project_ids: [project.id] } }));
  const memory = Memory.safeParse(parseJson((await readIfThere(folder.demo)) ?? "{}")).data ?? {};
  const ssh = await prepareSshKey(client, project.id, memory);
  const fingerprint = secretFingerprint(secret, sealingKey);
  await prepareSecret(client, project.id, secret, memory.secret_fingerprint === fingerprint);
  const remembered: Memory = { public_key: ssh.publicKey, secret_fingerprint: fingerprint };
  await writePrivate(folder.demo, `${JSON.stringify(remembered)}\n`);
  return { project, agentType, ...ssh };
}

function createProject(client: Client): Promise<Project> {
  return client.projects.create({
    name: demoNames.project,
    repository: { name: demoNames.project, slug: `${demoNames.organization}/${demoNames.project}` },
    settings: { default_branch: "refs/heads/main" },
  });
}

async function prepareSshKey(client: Client, projectId: string, memory: Memory) {
  const found = await keyNamed(client, projectId, demoNames.sshKey);
  if (found && memory.public_key) return { publicKey: memory.public_key, privateText: null };
  if (found) await client.keys.delete(projectId, found.id);
  const { privateKey, publicKey } = await newSshKey();
  await client.keys.create(projectId, {
    name: demoNames.sshKey,
    secret: { type: "ssh", login: "git", private_key: privateKey },
  });
  return { publicKey, privateText: privateLine(privateKey) };
}

async function prepareSecret(client: Client, projectId: string, value: string, unchanged: boolean): Promise<void> {
  const found = await keyNamed(client, projectId, demoNames.secretKey);
  if (found && unchanged) return;
  if (found) await client.keys.delete(projectId, found.id);
  await client.keys.create(projectId, { name: demoNames.secretKey, secret: { type: "string", value } });
}

/** The first lines say only what kind of key it is; the private part stands further down. */
function privateLine(pem: string): string | null {
  return pem.split("\n")[3] ?? null;
}
