/** The job as its agent is handed it (AGENT-PROTOCOL section 4), and what of it must be masked. Pure. */

import type { Secret } from "../../protocol/access-keys.ts";
import type { JobRequest } from "../../protocol/agent-protocol.ts";
import type { Command, JobSpec, KeyUse } from "../../protocol/jobs.ts";
import { partOf, planDelivery } from "../jobs/key-delivery.ts";
import { toBase64, utf8 } from "../lib/bytes.ts";

/** A key that a job uses, opened. */
export interface OpenedKey {
  readonly use: KeyUse;
  readonly secret: Secret;
}

export interface JobRequestParts {
  readonly jobId: string;
  readonly jobName: string;
  readonly spec: JobSpec;
  readonly keys: readonly OpenedKey[];
  readonly environment: readonly (readonly [name: string, value: string])[];
  readonly logger: { readonly url: string; readonly token: string };
}

/** Later entries win in the agent's map of variables: the system's come first, keys next, the spec's own last. */
export function buildJobRequest(parts: JobRequestParts): JobRequest {
  const { spec, keys } = parts;
  const delivered = keys.map(({ use, secret }) => deliver(use, secret));
  const variables = [
    ...parts.environment,
    ...delivered.flatMap(({ env }) => env),
    ...spec.env.map(({ name, value }) => [name, value] as const),
  ];
  return {
    job_id: parts.jobId,
    job_name: parts.jobName,
    executor: "shell",
    env_vars: variables.map(([name, value]) => ({ name, value: toBase64(utf8(value)) })),
    files: [...delivered.flatMap(({ files }) => files), ...spec.files],
    commands: spec.commands.map(named),
    epilogue_always_commands: spec.epilogue.always.map(named),
    epilogue_on_pass_commands: spec.epilogue.on_pass.map(named),
    epilogue_on_fail_commands: spec.epilogue.on_fail.map(named),
    ssh_public_keys: [],
    logger: { method: "push", ...parts.logger },
  };
}

/** What an agent is handed that asks for a job which is being stopped: nothing to run, no secret. */
export function buildEmptyRequest(parts: Pick<JobRequestParts, "jobId" | "jobName" | "logger">): JobRequest {
  const spec: JobSpec = {
    commands: [],
    epilogue: { always: [], on_pass: [], on_fail: [] },
    env: [],
    files: [],
    keys: [],
  };
  return buildJobRequest({ ...parts, spec, keys: [], environment: [] });
}

/** Every secret value in a job, named for the notice of what cannot be masked. A login is not one. */
export function secretValues(
  spec: JobSpec,
  keys: readonly OpenedKey[],
  tokens: readonly (readonly [string, string])[],
) {
  const ofKeys = keys.flatMap(({ use, secret }) => {
    const { type: _, ...fields } = secret;
    return Object.entries(fields)
      .filter(([field]) => field !== "login")
      .map(([field, value]) => ({ name: `${use.key} (${field})`, value }));
  });
  const ofEnv = spec.env.filter(({ secret }) => secret).map(({ name, value }) => ({ name, value }));
  const ofTokens = tokens.map(([name, value]) => ({ name, value }));
  const byValue = new Map([...ofKeys, ...ofEnv, ...ofTokens].map((each) => [each.value, each]));
  return [...byValue.values()].filter(({ value }) => value !== "");
}

function deliver(use: KeyUse, secret: Secret) {
  const plan = planDelivery(use, secret.type);
  if ("detail" in plan) return { env: [], files: [] };
  return {
    env: plan.env.map(({ name, field }) => [name, partOf(secret, field)] as const),
    files: plan.files.map(({ path, mode, field }) => ({ path, mode, content: toBase64(utf8(partOf(secret, field))) })),
  };
}

function named(command: Command): { directive: string; alias?: string } {
  const alias = "alias" in command ? command.alias : undefined;
  return alias === undefined ? { directive: command.directive } : { directive: command.directive, alias };
}
