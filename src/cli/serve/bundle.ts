/** What workerd is given: the Worker as one file, made as a deployment makes it, and the facts of wrangler.toml. */
import { execFile } from "node:child_process";
import { copyFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { type Unstable_Config, unstable_readConfig } from "wrangler";
import { messageOf, repositoryRoot } from "../context.ts";
import { Failure } from "../exit.ts";
import type { WorkerToml } from "./workerd-config.ts";

/** @throws Failure where it names no compatibility date or no code */
export function readWorkerToml(configFile: string = join(repositoryRoot, "wrangler.toml")): WorkerToml {
  const read: Unstable_Config = unstable_readConfig({ config: configFile });
  const { main, compatibility_date, compatibility_flags, durable_objects, triggers } = read;
  if (compatibility_date === undefined) throw new Failure("wrangler.toml names no compatibility_date");
  if (main === undefined) throw new Failure("wrangler.toml names no main");
  return {
    main,
    compatibilityDate: compatibility_date,
    compatibilityFlags: compatibility_flags,
    objects: durable_objects.bindings.map(({ name, class_name }) => ({ name, className: class_name })),
    crons: triggers.crons ?? [],
  };
}

/** Writes `worker.js` and `migrator.js` into the folder, and nothing elsewhere. @throws Failure with the bundler's word. */
export async function bundleInto(folder: string, toml: WorkerToml, env: NodeJS.ProcessEnv): Promise<void> {
  const wrangler = join(repositoryRoot, "node_modules/wrangler/bin/wrangler.js");
  const made = join(folder, "bundle");
  // A configuration of its own: the bundler writes beside it, and the checkout may be read-only.
  const config = join(folder, "bundle.json");
  await writeFile(
    config,
    JSON.stringify({
      name: "signalbox",
      main: toml.main,
      compatibility_date: toml.compatibilityDate,
      compatibility_flags: toml.compatibilityFlags,
    }),
  );
  const args = [wrangler, "deploy", "--dry-run", "--outdir", made, "--config", config];
  try {
    await promisify(execFile)(process.execPath, args, { env, cwd: folder });
  } catch (error) {
    throw new Failure(`the Worker could not be bundled:\n${messageOf(error)}`);
  }
  await copyFile(join(made, `${basename(toml.main, ".ts")}.js`), join(folder, "worker.js"));
  await copyFile(join(import.meta.dirname, "migrator.js"), join(folder, "migrator.js"));
}
