/** Where each part of a key goes in a job: what the caller said, or the defaults of the key's type. Pure. */
import { type AccessKeyType, type Secret, type SecretField, secretFields } from "../../protocol/access-keys.ts";
import { JobEnvName, type KeyUse } from "../../protocol/jobs.ts";

export interface Delivery {
  /** Variable name to the part of the secret that it gets. */
  readonly env: readonly { readonly name: string; readonly field: SecretField }[];
  readonly files: readonly { readonly path: string; readonly mode: string; readonly field: SecretField }[];
}

/** What stands in the way of a delivery: a pointer below the key's entry, and why. */
export interface DeliveryRefusal {
  readonly pointer: string;
  readonly detail: string;
}

export function planDelivery(use: KeyUse, type: AccessKeyType): Delivery | DeliveryRefusal {
  const fields: readonly SecretField[] = secretFields[type];
  if (fields.length === 0) return { pointer: "/key", detail: `is of type ${type} and holds nothing to hand over` };
  if (use.env === undefined && use.file === undefined) return byDefault(use.key, type);
  const env = Object.entries(use.env ?? {}).map(([field, name]) => ({ field: field as SecretField, name }));
  const stranger = env.find(({ field }) => !fields.includes(field));
  if (stranger) return { pointer: `/env/${stranger.field}`, detail: `a key of type ${type} has no ${stranger.field}` };
  if (use.file === undefined) return { env, files: [] };
  const field = use.file.field ?? fields[0];
  if (field === undefined || !fields.includes(field)) {
    return { pointer: "/file/field", detail: `must be one of ${fields.join(", ")}` };
  }
  return { env, files: [{ path: use.file.path, mode: use.file.mode, field }] };
}

/** The value of one part; a part that the key does not use is "". */
export function partOf(secret: Secret, field: SecretField): string {
  const { type: _, ...parts } = secret;
  return (parts as Partial<Record<SecretField, string>>)[field] ?? "";
}

/** The defaults, unless they would take a variable that tells the job who it is. */
function byDefault(key: string, type: AccessKeyType): Delivery | DeliveryRefusal {
  const delivery = defaults(key, type);
  const taken = delivery.env.find(({ name }) => !JobEnvName.safeParse(name).success);
  if (taken === undefined) return delivery;
  return { pointer: "/key", detail: `would become ${taken.name}, which is set for the job: say in env where it goes` };
}

/** ssh: a file as ssh expects it. Others: variables named after the key (`deploy-bot` gives DEPLOY_BOT_PASSWORD). */
function defaults(key: string, type: AccessKeyType): Delivery {
  const stem = key
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, "_")
    .replace(/^(?=[0-9])/, "_");
  switch (type) {
    case "ssh":
      return { env: [], files: [{ path: `.ssh/${key}`, mode: "0600", field: "private_key" }] };
    case "login_password":
      return {
        env: [
          { name: `${stem}_LOGIN`, field: "login" },
          { name: `${stem}_PASSWORD`, field: "password" },
        ],
        files: [],
      };
    case "string":
      return { env: [{ name: stem, field: "value" }], files: [] };
    case "none":
      return { env: [], files: [] };
  }
}
