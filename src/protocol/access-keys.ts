/** Access keys: what may be stored, and who may be handed it. */
import * as z from "zod";
import { GitRef, RefProof, RefType } from "./git-context.ts";
import { ClientId, Id, Timestamp } from "./ids.ts";
import { limits } from "./limits.ts";
import { List } from "./list.ts";
import { Name } from "./names.ts";
import { PolicyRefs } from "./ref-pattern.ts";

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

/** PEM from any editor: line ends, blanks around it and its lines, and a missing final newline are repaired, not refused. */
const PrivateKey = Material.transform((pem) => `${trimmedLines(pem).join("\n").trim()}\n`).refine(
  (pem) => /^-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----\n[\s\S]+\n-----END [A-Z0-9 ]*PRIVATE KEY-----\n$/.test(pem),
  "must be a private key in PEM or OpenSSH form",
);

function trimmedLines(text: string): string[] {
  return text.split(/\r\n|\r|\n/).map((line) => line.trim());
}

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
  refs: PolicyRefs,
  ref_types: z
    .array(RefType)
    .min(1)
    .max(RefType.options.length)
    .default([...RefType.options]),
  /** Names of agent types; null: any that takes the project's jobs. */
  agent_types: z.array(Name).min(1).max(64).nullable().default(null),
  forks: z.boolean().default(false),
  proofs: z
    .array(RefProof)
    .min(1)
    .max(RefProof.options.length)
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

/** A new Ed25519 key, made here: its public half is shown, its private half goes to jobs alone. */
export const AccessKeyGenerate = z.strictObject({
  id: ClientId,
  name: Name,
  login: Login,
  policy: KeyPolicy.prefault({}),
});
export type AccessKeyGenerate = z.infer<typeof AccessKeyGenerate>;

/** What is left out stays as it is: a rename takes no secret. A new secret is of the key's type. */
export const AccessKeyPatch = z
  .strictObject({ name: Name.optional(), secret: Secret.optional(), policy: KeyPolicy.optional() })
  .refine((patch) => Object.keys(patch).length > 0, "must change something");
export type AccessKeyPatch = z.infer<typeof AccessKeyPatch>;

/** A key as it is shown: never its secret. */
export const AccessKey = z.object({
  id: Id,
  /** Null: the organization's, shared with chosen projects. */
  project_id: Id.nullable(),
  name: Name,
  type: AccessKeyType,
  policy: KeyPolicy,
  /** Of ssh keys, where it is known: one line of authorized_keys without the comment. */
  public_key: z.string().nullable(),
  /** `SHA256:…`, as `ssh-keygen -l` prints it. */
  fingerprint: z.string().nullable(),
  comment: z.string().nullable(),
  revision: z.int(),
  secret_version: z.int(),
  created_at: Timestamp,
  created_by: Id,
  changed_at: Timestamp.nullable(),
  changed_by: Id.nullable(),
  /** Of a shared key in a project: by that project's jobs. */
  last_used_at: Timestamp.nullable(),
  last_used_job: Id.nullable(),
  /** A person has seen this secret, taken from an export: replace it, which makes both null. */
  seen_at: Timestamp.nullable(),
  seen_by: Id.nullable(),
});
export type AccessKey = z.infer<typeof AccessKey>;
export const AccessKeyList = List(AccessKey);

/** Secrets that a person has seen, each as the version that it had in the export. */
export const KeySightings = z.strictObject({
  sightings: z
    .array(z.strictObject({ key_id: Id, secret_version: z.int().min(1) }))
    .min(1)
    .max(limits.keySightings)
    .refine((all) => new Set(all.map(({ key_id }) => key_id)).size === all.length, "must name each key once"),
});
export type KeySightings = z.infer<typeof KeySightings>;

export const KeySightingsMarked = z.object({
  marked: z.array(Id),
  /** The key has another secret by now: nothing is to be done. */
  replaced: z.array(Id),
  /** No such key, or never with that version. */
  unknown: z.array(Id),
});
export type KeySightingsMarked = z.infer<typeof KeySightingsMarked>;

/** That an organization's key is there in a project as its own keys are. */
export const KeyShare = z.object({
  key_id: Id,
  project_id: Id,
  project_name: Name,
  shared_at: Timestamp,
  shared_by: Id,
  /** By the project's jobs. */
  last_used_at: Timestamp.nullable(),
  last_used_job: Id.nullable(),
});
export type KeyShare = z.infer<typeof KeyShare>;
export const KeyShareList = List(KeyShare);

export const KeyShareCreate = z.strictObject({ project_id: Id });
export type KeyShareCreate = z.infer<typeof KeyShareCreate>;

const BrokenJob = z.object({ id: Id, name: z.string(), state: z.string() });

/** What the end of a share takes away: these unfinished jobs fail where they have not got the key yet. */
export const KeyUnsharing = z.object({ key_id: Id, project_id: Id, broken_jobs: z.array(BrokenJob) });
export type KeyUnsharing = z.infer<typeof KeyUnsharing>;

/** What a forced delete took away: from these projects, and from unfinished jobs as `KeyUnsharing` tells. */
export const AccessKeyDeletion = z.object({
  id: Id,
  unshared: z.array(KeyShare.pick({ project_id: true, project_name: true })),
  broken_jobs: z.array(BrokenJob),
});
export type AccessKeyDeletion = z.infer<typeof AccessKeyDeletion>;

/** A job that was handed a key: once for each time that its agent fetched it. */
export const KeyHandOver = z.object({
  /** The job's. */
  id: Id,
  project_id: Id,
  name: z.string(),
  first_at: Timestamp,
  last_at: Timestamp,
  times: z.int(),
});
export type KeyHandOver = z.infer<typeof KeyHandOver>;
export const KeyHandOverList = List(KeyHandOver);

/** A job that there might be: would the key open for it? */
export const KeyDecisionRequest = z.strictObject({
  ref: GitRef,
  agent_type: Name,
  fork: z.boolean().default(false),
  proof: RefProof.default("api"),
});
export type KeyDecisionRequest = z.infer<typeof KeyDecisionRequest>;

export const KeyDecision = z.object({
  allowed: z.boolean(),
  /** What was compared with what: `refused: refs/heads/x matches none of refs/heads/main`. */
  explanation: z.string(),
});
export type KeyDecision = z.infer<typeof KeyDecision>;
