/** Access keys: what may be stored, and who may be handed it. */
import * as z from "zod";
import { RefProof, RefType } from "./git-context.ts";
import { ClientId, Id, Timestamp } from "./ids.ts";
import { limits } from "./limits.ts";
import { List } from "./list.ts";
import { Name } from "./names.ts";
import { RefPatterns } from "./ref-pattern.ts";

export const AccessKeyType = z.enum(["ssh", "login_password", "string", "none"]);
export type AccessKeyType = z.infer<typeof AccessKeyType>;

const encoder = new TextEncoder();
const Material = z
  .string()
  .refine(
    (text) => encoder.encode(text).length <= limits.keyMaterialBytes,
    `must be at most ${limits.keyMaterialBytes} bytes`,
  )
  .refine((text) => text.isWellFormed(), "must be well-formed Unicode")
  .refine((text) => !text.includes("\0"), "must not hold a NUL: no environment variable could");
const Login = Material.pipe(z.string().max(256)).default("");

/** PEM from any editor: CRLF, blanks around it and a missing final newline are repaired, not refused. */
const PrivateKey = Material.transform((pem) => `${pem.replaceAll("\r\n", "\n").trim()}\n`).refine(
  (pem) => /^-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----\n[\s\S]+\n-----END [A-Z0-9 ]*PRIVATE KEY-----\n$/.test(pem),
  "must be a private key in PEM or OpenSSH form",
);

/** The secret of each type: what is sealed, and never returned. */
export const Secret = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("ssh"), login: Login, private_key: PrivateKey, passphrase: Material.default("") }),
  z.strictObject({ type: z.literal("login_password"), login: Login, password: Material.pipe(z.string().min(1)) }),
  z.strictObject({ type: z.literal("string"), value: Material.pipe(z.string().min(1)) }),
  z.strictObject({ type: z.literal("none") }),
]);
export type Secret = z.infer<typeof Secret>;

/** The parts of a secret that a job can be handed, by type. `login` is not secret; everything else is. */
export const secretFields = {
  ssh: ["private_key", "login", "passphrase"],
  login_password: ["password", "login"],
  string: ["value"],
  none: [],
} as const satisfies Record<AccessKeyType, readonly string[]>;
export const SecretField = z.enum(["private_key", "login", "passphrase", "password", "value"]);
export type SecretField = z.infer<typeof SecretField>;

/** Which jobs a key opens for. Every condition must hold. */
export const KeyPolicy = z.strictObject({
  /** `protected`: the project's protected refs; else patterns, of which one must match. */
  refs: z.union([z.literal("protected"), RefPatterns.min(1)]).default("protected"),
  ref_types: z
    .array(RefType)
    .min(1)
    .default([...RefType.options]),
  /** Names of agent types; null: any that takes the project's jobs. */
  agent_types: z.array(Name).min(1).max(64).nullable().default(null),
  forks: z.boolean().default(false),
  proofs: z
    .array(RefProof)
    .min(1)
    .default([...RefProof.options]),
});
export type KeyPolicy = z.infer<typeof KeyPolicy>;

export const AccessKeyCreate = z.strictObject({
  id: ClientId,
  name: Name,
  secret: Secret,
  policy: KeyPolicy.prefault({}),
});
export type AccessKeyCreate = z.infer<typeof AccessKeyCreate>;

/** A key as it is shown: never its secret. */
export const AccessKey = z.object({
  id: Id,
  project_id: Id,
  name: Name,
  type: AccessKeyType,
  policy: KeyPolicy,
  revision: z.int(),
  secret_version: z.int(),
  created_at: Timestamp,
  created_by: Id,
  last_used_at: Timestamp.nullable(),
  last_used_job: Id.nullable(),
});
export type AccessKey = z.infer<typeof AccessKey>;
export const AccessKeyList = List(AccessKey);
