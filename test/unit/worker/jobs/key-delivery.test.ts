import { describe, expect, test } from "vitest";
import { AccessKeyType, type Secret, SecretField, secretFields } from "../../../../src/protocol/access-keys.ts";
import { JobEnvName, KeyUse } from "../../../../src/protocol/jobs.ts";
import { EnvName, FilePath } from "../../../../src/protocol/names.ts";
import { partOf, planDelivery } from "../../../../src/worker/jobs/key-delivery.ts";

const use = (rest: object, key = "deploy-bot") => KeyUse.parse({ key, ...rest });
const nameable = AccessKeyType.options.filter((type) => type !== "none");

describe("where nothing is said", () => {
  test("an ssh key is a file as ssh expects it", () => {
    expect(planDelivery(use({}), "ssh")).toEqual({
      env: [],
      files: [{ path: ".ssh/deploy-bot", mode: "0600", field: "private_key" }],
    });
  });

  test("a login and password are two variables named after the key", () => {
    expect(planDelivery(use({}), "login_password")).toEqual({
      env: [
        { name: "DEPLOY_BOT_LOGIN", field: "login" },
        { name: "DEPLOY_BOT_PASSWORD", field: "password" },
      ],
      files: [],
    });
  });

  test("a string is one variable named after the key", () => {
    expect(planDelivery(use({}), "string")).toEqual({ env: [{ name: "DEPLOY_BOT", field: "value" }], files: [] });
  });

  test("every name of a key makes a name that an environment can hold", () => {
    for (const key of ["a", "1password", "a.b-c_d", "9", "0-x", "z".repeat(63), "a..b"]) {
      for (const type of ["string", "login_password"] as const) {
        const plan = planDelivery(use({}, key), type);
        if (!("env" in plan)) throw new Error(plan.detail);
        for (const { name } of plan.env) expect(EnvName.safeParse(name).success, name).toBe(true);
      }
      const plan = planDelivery(use({}, key), "ssh");
      if ("files" in plan) for (const { path } of plan.files) expect(FilePath.safeParse(path).success, path).toBe(true);
    }
  });

  test("a default never takes a variable that is set for the job", () => {
    for (const key of ["semaphore_oidc_token", "semaphore-git-sha", "semaphore.job.id"]) {
      const plan = planDelivery(use({}, key), "string");
      const names = "env" in plan ? plan.env.map(({ name }) => name) : [];
      for (const name of names) expect(JobEnvName.safeParse(name).success, name).toBe(true);
    }
  });
});

describe("what the caller says", () => {
  test.each(nameable)("a key of type %s gives every part it has to a variable", (type) => {
    for (const field of secretFields[type]) {
      expect(planDelivery(use({ env: { [field]: "X" } }), type)).toEqual({ env: [{ field, name: "X" }], files: [] });
    }
  });

  test.each(nameable)("a key of type %s gives no part that it has not, to variable or file", (type) => {
    const fields: readonly string[] = secretFields[type];
    for (const field of SecretField.options.filter((each) => !fields.includes(each))) {
      expect(planDelivery(use({ env: { [field]: "X" } }), type)).toEqual({
        pointer: `/env/${field}`,
        detail: `a key of type ${type} has no ${field}`,
      });
      expect(planDelivery(use({ file: { path: "x", field } }), type)).toEqual({
        pointer: "/file/field",
        detail: `must be one of ${fields.join(", ")}`,
      });
    }
  });

  test("a file takes the first part where none is named, mode 0600 where none is said", () => {
    const plans = nameable.map((type) => planDelivery(use({ file: { path: "x" } }), type));
    expect(plans).toEqual(
      ["private_key", "password", "value"].map((field) => ({ env: [], files: [{ path: "x", mode: "0600", field }] })),
    );
  });

  test("replaces the defaults as a whole: nothing goes where it was not sent", () => {
    expect(planDelivery(use({ env: { passphrase: "P" } }), "ssh")).toEqual({
      env: [{ name: "P", field: "passphrase" }],
      files: [],
    });
    expect(planDelivery(use({ env: {}, file: { path: "x", mode: "0400" } }), "ssh")).toEqual({
      env: [],
      files: [{ path: "x", mode: "0400", field: "private_key" }],
    });
  });
});

test("a key that holds nothing cannot be handed over, whatever is said", () => {
  for (const rest of [{}, { env: { value: "X" } }, { file: { path: "x" } }]) {
    expect(planDelivery(use(rest), "none")).toEqual({
      pointer: "/key",
      detail: "is of type none and holds nothing to hand over",
    });
  }
});

test("a part that a key does not use is empty, and its type is no part", () => {
  const secret: Secret = { type: "ssh", login: "", private_key: "k", passphrase: "p" };
  expect(SecretField.options.map((field) => partOf(secret, field))).toEqual(["k", "", "p", "", ""]);
  expect(partOf({ type: "string", value: "v" }, "value")).toBe("v");
});
