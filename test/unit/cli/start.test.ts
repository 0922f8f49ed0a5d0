import { execFileSync, spawn } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newSealingKey } from "../../../src/cli/commands/keygen.ts";
import { childEnvironment } from "../../../src/cli/start/child.ts";
import { openDataFolder } from "../../../src/cli/start/data-folder.ts";
import { demoCommands } from "../../../src/cli/start/demo-job.ts";
import { demoSecret, secretFingerprint } from "../../../src/cli/start/demo-secret.ts";
import { filesHolding } from "../../../src/cli/start/leaks.ts";
import { freePort } from "../../../src/cli/start/port.ts";
import { closingWords } from "../../../src/cli/start/progress.ts";
import { loadSecrets } from "../../../src/cli/start/secrets.ts";
import { newSshKey } from "../../../src/cli/start/ssh-key.ts";
import { type Evidence, summarize } from "../../../src/cli/start/summary.ts";
import type { LogRecord } from "../../../src/client/log-assembler.ts";
import { inProcess, runCli } from "./support.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "signalbox-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777;
}

describe("the data folder", () => {
  test("is private to its user", async () => {
    const opened = await openDataFolder(join(folder, "deep/data"));
    expect(await modeOf(opened.path)).toBe(0o700);
    opened.release();
  });

  test("is used by one start at a time, also of another process, and free when that one is killed", async () => {
    const path = join(folder, "data");
    const module = JSON.stringify(join(import.meta.dirname, "../../../src/cli/start/data-folder.ts"));
    const script = `import(${module}).then((m) => m.openDataFolder(${JSON.stringify(path)})).then(() => setTimeout(() => { gc(); gc(); console.log("held"); setInterval(() => {}, 1000); }, 50))`;
    const holder = spawn(process.execPath, ["--expose-gc", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    const gone = new Promise((resolve) => holder.once("exit", resolve));
    try {
      await new Promise((resolve) => holder.stdout.once("data", resolve));
      await expect(openDataFolder(path)).rejects.toThrow(/in use by another signalbox/);
    } finally {
      holder.kill("SIGKILL");
      await gone;
    }
    (await openDataFolder(path)).release();
  });

  test("is never one with other things in it, whose rights stay as they are", async () => {
    await writeFile(join(folder, "somebody's"), "");
    await chmod(folder, 0o755);
    await expect(openDataFolder(folder)).rejects.toThrow(/holds other things/);
    expect(await modeOf(folder)).toBe(0o755);
  });

  test("that cannot be written is refused in one sentence", async () => {
    await writeFile(join(folder, "file"), "");
    await expect(openDataFolder(join(folder, "file/data"))).rejects.toThrow(/^the data folder .* cannot be written: /);
    await expect(openDataFolder("/proc/signalbox")).rejects.toThrow(/cannot be written/);
  });
});

describe("local secrets", () => {
  test("are made once, readable by their owner alone, and found again", async () => {
    const path = join(folder, "secrets.env");
    const first = await loadSecrets(path);
    expect(first.made).toBe(true);
    expect(await modeOf(path)).toBe(0o600);
    expect(Buffer.from(first.secrets.ACCESS_KEY_ENCRYPTION ?? "", "base64")).toHaveLength(32);
    expect(JSON.parse(first.secrets.SIGNING_KEY_1 ?? "{}")).toMatchObject({
      kty: "RSA",
      activates_at: expect.any(Number),
    });
    await chmod(path, 0o644);
    expect(await loadSecrets(path)).toEqual({ secrets: first.secrets, made: false });
    expect(await modeOf(path)).toBe(0o600);
  });

  test("that are damaged stay as they are: the Worker names what it cannot use", async () => {
    const path = join(folder, "secrets.env");
    await writeFile(path, "ACCESS_KEY_ENCRYPTION='not base64!'\n");
    expect(await loadSecrets(path)).toEqual({ secrets: { ACCESS_KEY_ENCRYPTION: "not base64!" }, made: false });
    expect(await readFile(path, "utf8")).toBe("ACCESS_KEY_ENCRYPTION='not base64!'\n");
  });
});

test("without ssh-keygen a start ends in one sentence that says what to install, and makes nothing", async () => {
  const data = join(folder, "data");
  const { code, stderr } = await runCli(["start", "--data", data], { env: { PATH: folder } });
  expect([code, stderr]).toEqual([1, "ssh-keygen is missing: install openssh-client"]);
  await expect(stat(data)).rejects.toThrow(/ENOENT/);
});

test("the closing words say what jobs started here can read", async () => {
  const opened = await openDataFolder(join(folder, "data"));
  const { cli } = inProcess();
  const words = (await closingWords("http://127.0.0.1:8787", opened, cli)).join("\n");
  opened.release();
  expect(words).toContain("jobs started here run as you and can read the data folder, secrets included");
});

describe("the demo's secret", () => {
  test("is the user's, else one of the folder's own that later starts know again", () => {
    const key = newSealingKey();
    expect(demoSecret("hunter2hunter2", key)).toBe("hunter2hunter2");
    expect(demoSecret(undefined, key)).toBe(demoSecret("", key));
    expect(demoSecret(undefined, key)).not.toBe(demoSecret(undefined, newSealingKey()));
    expect(demoSecret(undefined, key)).toHaveLength(32);
  });

  test("that could not be masked is refused", () => {
    expect(() => demoSecret("short", newSealingKey())).toThrow(/at least 8 bytes/);
  });

  test("is remembered by a fingerprint that needs the sealing key", () => {
    const [one, two] = [newSealingKey(), newSealingKey()];
    expect(secretFingerprint("a", one)).toBe(secretFingerprint("a", one));
    expect(secretFingerprint("a", one)).not.toBe(secretFingerprint("b", one));
    expect(secretFingerprint("a", one)).not.toBe(secretFingerprint("a", two));
  });

  test("is told to no child process", () => {
    const env = {
      PATH: "/bin",
      HOME: "/h",
      SIGNALBOX_DEMO_SECRET: "s",
      SIGNALBOX_TOKEN: "t",
      CLOUDFLARE_API_TOKEN: "c",
    };
    expect(childEnvironment(env)).toEqual({ PATH: "/bin", HOME: "/h" });
  });
});

test("a secret in clear is found in any file, also across the pieces that it is read in", async () => {
  await writeFile(join(folder, "clean"), "nothing here");
  await writeFile(
    join(folder, "dirty"),
    Buffer.concat([Buffer.alloc(1024 * 1024 - 4), Buffer.from("s3cret-value"), Buffer.alloc(9)]),
  );
  expect(await filesHolding(folder, ["s3cret-value", ""])).toEqual([join(folder, "dirty")]);
});

test("a throw-away SSH key is one that ssh-keygen opens, and nothing of it is left behind", async () => {
  const { privateKey, publicKey } = await newSshKey();
  const path = join(folder, "key");
  await writeFile(path, privateKey, { mode: 0o600 });
  expect(execFileSync("ssh-keygen", ["-y", "-f", path], { encoding: "utf8" })).toContain(publicKey);
});

test("a port in use is said in one sentence; 0 finds a free one", async () => {
  const port = await freePort(0);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  await expect(freePort(port)).rejects.toThrow(
    `port ${port} on 127.0.0.1 is in use: stop what listens there, or give --port N`,
  );
  server.close();
});

describe("the closing summary", () => {
  const publicKey = "ssh-ed25519 AAAAKEY";
  const outputs: Record<keyof typeof demoCommands, string> = {
    claims: '  job_id  "job-1"\n',
    verified: "verified by jsonwebtoken and jwks-rsa\n",
    altered: "refused, as it must be: invalid signature\n",
    sshKey: `${publicKey} signalbox demo\n`,
    secret: "the secret is ***\n",
  };

  function evidence(changed: Partial<typeof outputs> = {}, exitCode = 0): Evidence {
    const events = Object.entries({ ...outputs, ...changed }).flatMap(([name, output]) => {
      const directive = demoCommands[name as keyof typeof demoCommands];
      return [
        { event: "cmd_started", timestamp: 1, directive } as const,
        { event: "cmd_output", timestamp: 1, output } as const,
        { event: "cmd_finished", timestamp: 1, directive, exit_code: exitCode, started_at: 1, finished_at: 1 } as const,
      ];
    });
    const records: LogRecord[] = events.map((event, position) => ({ kind: "event", position, event }));
    records.push({ kind: "end", position: records.length, result: "passed" });
    return {
      jobId: "job-1",
      records,
      followedFromStart: true,
      secret: "s3cret-value",
      publicKey,
      keysHandedOver: true,
      leaks: [],
    };
  }
  const failed = (given: Evidence) => summarize(given).flatMap((check) => (check.done ? [] : [check.label]));

  test("says done for each thing that was really seen", () => {
    expect(summarize(evidence())).toHaveLength(7);
    expect(failed(evidence())).toEqual([]);
  });

  for (const [what, given, label] of [
    ["the secret is in clear", evidence({ secret: "the secret is s3cret-value ***\n" }), "printed secret masked"],
    ["the secret was never printed", evidence({ secret: "" }), "printed secret masked"],
    [
      "the secret stands in another command's output",
      evidence({ sshKey: `${publicKey} s3cret-value` }),
      "printed secret masked",
    ],
    ["the altered token was accepted", evidence({ altered: "ACCEPTED although altered" }), "altered token refused"],
    ["the token is another job's", evidence({ claims: '"job-2"' }), "identity token's claims shown"],
    ["another SSH key was used", evidence({ sshKey: "ssh-ed25519 OTHER" }), "unsealed SSH key used"],
    ["a file holds a secret", { ...evidence(), leaks: ["x"] }, "access keys sealed and handed over"],
    ["the server noted no hand-over", { ...evidence(), keysHandedOver: false }, "access keys sealed and handed over"],
    ["the log has no end", { ...evidence(), records: evidence().records.slice(0, -1) }, "log followed live to its end"],
    [
      "the log lacks an event",
      { ...evidence(), records: evidence().records.filter((_, at) => at !== 14) },
      "log followed live to its end",
    ],
  ] as const) {
    test(`says failed where ${what}`, () => expect(failed(given)).toContain(label));
  }

  test("says failed for every command that failed", () => {
    expect(failed(evidence({}, 1))).toHaveLength(5);
  });
});
