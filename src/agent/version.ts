/**
 * Who we say we are. Never "SemaphoreAgent/": servers and people tell the two agents apart by this.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";

const manifest = z.object({ version: z.string() });

const manifestPath = join(dirname(fileURLToPath(import.meta.url)), "../../package.json");

export const version: string = manifest.parse(JSON.parse(readFileSync(manifestPath, "utf8"))).version;
export const agentVersion: string = `v${version}`;
export const userAgent = `SignalboxAgent/${agentVersion}`;
