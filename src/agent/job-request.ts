/**
 * Reads what the hub hands out as a job, and refuses what cannot be run exactly as asked. Pure. Lenient where the
 * protocol is (null and missing lists, unknown fields), strict in types and encodings. A refusal never quotes a
 * value: env values and file contents are secrets.
 */
import * as z from "zod";
import { EnvName } from "../protocol/names.ts";
import { misfitLine, parse } from "../protocol/parse.ts";
import type { LogTarget } from "./log-pusher.ts";

export interface JobCommand {
  readonly directive: string;
  /** Shown instead of the directive; null: none. */
  readonly alias: string | null;
}

export interface JobFile {
  readonly path: string;
  readonly content: Uint8Array;
  readonly mode: number;
  /** As the request has it, for the log. */
  readonly modeText: string;
}

export interface Job {
  readonly logger: LogTarget;
  readonly env: ReadonlyMap<string, string>;
  readonly files: readonly JobFile[];
  readonly commands: readonly JobCommand[];
  readonly epilogueAlways: readonly JobCommand[];
  readonly epilogueOnPass: readonly JobCommand[];
  readonly epilogueOnFail: readonly JobCommand[];
}

export type ReadJob =
  | { readonly ok: true; readonly job: Job }
  /** `logger` where at least that could be read: the reason can then be told in the job's log. */
  | { readonly ok: false; readonly reason: string; readonly logger: LogTarget | null };

const Bytes = z
  .string()
  .regex(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/, "must be standard padded base64")
  .transform((text): Uint8Array => Buffer.from(text, "base64"));

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const EnvValue = Bytes.transform((bytes, context): string => {
  try {
    const text = strictUtf8.decode(bytes);
    if (!text.includes("\0")) return text;
    context.addIssue({ code: "custom", message: "must not hold a NUL" });
  } catch {
    context.addIssue({ code: "custom", message: "must be UTF-8" });
  }
  return z.NEVER;
});

const Mode = z.string().regex(/^0?[0-7]{3}$/, "must be an octal mode such as 0600");
const Path = z
  .string()
  .min(1)
  .refine((path) => !path.includes("\0"), "must not hold a NUL")
  .refine((path) => !path.split("/").includes(".."), "must not hold '..'")
  .refine((path) => !path.endsWith("/") && path !== "~", "must name a file");
const Command = z
  .object({ directive: z.string(), alias: z.string().nullish() })
  .transform(({ directive, alias }): JobCommand => ({ directive, alias: alias || null }));
const File = z
  .object({ path: Path, content: Bytes, mode: Mode })
  .transform(({ path, content, mode }): JobFile => ({ path, content, mode: Number.parseInt(mode, 8), modeText: mode }));

const Logger = z.object({
  method: z.literal("push"),
  url: z.string().regex(/^https?:\/\/[^?#]+$/, "must be an http or https URL without a query"),
  token: z.string().min(1),
});

const Request = z.object({
  executor: z.enum(["shell", ""], "only the shell executor is known here").nullish(),
  logger: Logger,
  env_vars: list(z.object({ name: EnvName, value: EnvValue })),
  files: list(File),
  commands: list(Command),
  epilogue_always_commands: list(Command),
  epilogue_on_pass_commands: list(Command),
  epilogue_on_fail_commands: list(Command),
});

export function readJobRequest(body: unknown): ReadJob {
  const parsed = parse(Request, body);
  if (!parsed.success) {
    const logger = z.object({ logger: Logger }).safeParse(body);
    const reason = parsed.misfits.map((misfit) => misfitLine(misfit, "the job request")).join("; ");
    return { ok: false, reason, logger: logger.success ? logger.data.logger : null };
  }
  const request = parsed.data;
  return {
    ok: true,
    job: {
      logger: request.logger,
      // A later variable of the same name wins.
      env: new Map(request.env_vars.map(({ name, value }) => [name, value])),
      files: request.files,
      commands: request.commands,
      epilogueAlways: request.epilogue_always_commands,
      epilogueOnPass: request.epilogue_on_pass_commands,
      epilogueOnFail: request.epilogue_on_fail_commands,
    },
  };
}

function list<Item extends z.ZodType>(item: Item) {
  return z
    .array(item)
    .nullish()
    .transform((items) => items ?? []);
}
