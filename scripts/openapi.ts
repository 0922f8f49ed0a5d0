/** Writes docs/openapi.json from the route table; with --check says whether it is up to date instead. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AccessKey, KeyPolicy, Secret } from "../src/protocol/access-keys.ts";
import { ApiToken } from "../src/protocol/accounts.ts";
import { Agent, AgentType } from "../src/protocol/agent-types.ts";
import { GitContext } from "../src/protocol/git-context.ts";
import { Job, JobSpec } from "../src/protocol/jobs.ts";
import { LogEvent } from "../src/protocol/log-events.ts";
import { Project } from "../src/protocol/projects.ts";
import { routeTable } from "../src/worker/app.ts";
import { type Env, readConfig } from "../src/worker/env.ts";
import { openApiDocument } from "../src/worker/http/openapi.ts";
import { createServices } from "../src/worker/services.ts";

const root = join(import.meta.dirname, "..");
const file = join(root, "docs/openapi.json");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };

const named = { AccessKey, Agent, AgentType, ApiToken, GitContext, Job, JobSpec, KeyPolicy, LogEvent, Project, Secret };

// The table is made of closures: nothing asks a binding until a request comes.
const env = { ISSUER: "https://ci.example.com" } as unknown as Env;
const issuer = new URL("https://ci.example.com");
const config = await readConfig(env);
const routes = routeTable(
  env,
  config,
  issuer,
  createServices(env, config, issuer, () => undefined),
);
const text = `${JSON.stringify(openApiDocument(routes, named, version), null, 2)}\n`;

if (!process.argv.includes("--check")) {
  writeFileSync(file, text);
} else if (readFileSync(file, "utf8") !== text) {
  console.error("docs/openapi.json is not up to date: run npm run openapi");
  process.exitCode = 1;
}
