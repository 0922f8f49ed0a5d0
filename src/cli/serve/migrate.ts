/** Brings the database up to date before the Worker starts. The socket for it lies in the private folder, and is gone after. */
import { readdir, readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { parseJson } from "../../client/errors.ts";
import { repositoryRoot } from "../context.ts";
import { Failure } from "../exit.ts";
import { startRuntime } from "./runtime.ts";

export interface Migration {
  readonly name: string;
  readonly sql: string;
}

async function readMigrations(): Promise<Migration[]> {
  const folder = join(repositoryRoot, "migrations");
  const names = (await readdir(folder)).filter((name) => name.endsWith(".sql")).toSorted();
  return Promise.all(names.map(async (name) => ({ name, sql: await readFile(join(folder, name), "utf8") })));
}

/** The names of those that were applied now. @throws Failure where one fails: nothing of it stays. */
export async function migrate(configFile: string, socketPath: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  await rm(socketPath, { force: true });
  const runtime = await startRuntime(configFile, env);
  try {
    const answer = await post(socketPath, JSON.stringify(await readMigrations()));
    const applied = parseJson(answer);
    if (!Array.isArray(applied)) throw new Failure(`the database could not be brought up to date: ${answer}`);
    return applied.map(String);
  } finally {
    await runtime.stop(5000);
    await rm(socketPath, { force: true });
  }
}

function post(socketPath: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method: "POST", path: "/" }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve(text));
      response.on("error", reject);
    });
    asked.on("error", reject);
    asked.end(body);
  });
}
