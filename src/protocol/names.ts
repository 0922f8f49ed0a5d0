import * as z from "zod";

/** Names of organizations, projects, repositories, keys, agent types: safe in a URL, a subject and a shell. */
export const Name = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,62}$/,
    "must be 1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit",
  );
export type Name = z.infer<typeof Name>;

/** A lone surrogate has no UTF-8: it would be stored as another character. */
const wellFormed = (text: string) => text.isWellFormed();

/** What a person calls a thing in a list: any printable text. */
export const Title = z
  .string()
  .min(1)
  .max(200)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
  .regex(/^[^\u0000-\u001f\u007f]*$/, "must not hold control characters")
  .refine(wellFormed, "must be well-formed Unicode");

/** `owner/name` as the git host writes it. */
export const RepositorySlug = z
  .string()
  .max(200)
  .regex(/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)+$/, "must look like owner/name");

/** Where a repository is cloned from; shown to jobs as SEMAPHORE_GIT_URL. */
export const RepositoryUrl = z
  .string()
  .max(1000)
  .regex(/^[\x21-\x7e]*$/, "must be printable ASCII without blanks");

/**
 * POSIX environment variable name. Agents write names unquoted into a shell file, so anything else would be
 * shell injection (AGENT-PROTOCOL section 4).
 */
export const EnvName = z
  .string()
  .max(256)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be letters, digits and '_', not beginning with a digit");

/** An octal file mode as the agent protocol has it: `0600`. */
export const FileMode = z.string().regex(/^0[0-7]{3}$/, "must be an octal mode such as 0600");

/** Where a file goes on the agent: relative to the job's home, `~/…`, or absolute; never upwards. */
export const FilePath = z
  .string()
  .min(1)
  .max(1024)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
  .regex(/^[^\u0000-\u001f\u007f]*$/, "must not hold control characters")
  .refine(wellFormed, "must be well-formed Unicode")
  .refine((path) => !path.split("/").includes(".."), "must not hold '..'")
  .refine((path) => path !== "~" && !/(^|\/)\.?$/.test(path), "must name a file");
