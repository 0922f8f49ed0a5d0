/** A copy of a sealing key: shown once to a person who types its id back, or encrypted to an age recipient. */
import { createHash, randomBytes } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { Decrypter, generateIdentity, identityToRecipient } from "age-encryption";
import { describe, expect, test } from "vitest";
import { escrowKey, type Terminal } from "../../../src/cli/escrow.ts";
import { eachTest } from "./fixtures.ts";

const { signal } = new AbortController();
const text = randomBytes(32).toString("base64");
const idHex = createHash("sha256").update(Buffer.from(text, "base64")).digest("hex").slice(0, 16);
const key = { text, idHex };
const here = eachTest();

/** Someone who answers so, and what they were shown. */
function person(answer: string, isThere = true): Terminal & { shown: string } {
  return {
    isThere,
    shown: "",
    show(words) {
      this.shown += words;
    },
    ask: async () => answer,
  };
}

describe("shown on a terminal", () => {
  test("it is kept once its id is typed back", async () => {
    const someone = person(`  ${idHex}\n`);
    expect(await escrowKey(key, { escrow: true }, signal, someone)).toEqual({ how: "shown", recipient: null });
    expect(someone.shown.split(text)).toHaveLength(2);
    expect(someone.shown).toContain(idHex);
  });

  test.each(["", "yes", text, "0".repeat(16)])("it is not where %j is typed", async (typed) => {
    await expect(escrowKey(key, { escrow: true }, signal, person(typed))).rejects.toThrow("that is not its id");
  });

  test("without one it is shown nowhere", async () => {
    const nobody = person(idHex, false);
    await expect(escrowKey(key, { escrow: true }, signal, nobody)).rejects.toThrow("no terminal to show the key on");
    expect(nobody.shown).toBe("");
  });
});

describe("encrypted to a recipient", () => {
  test("age gets the key back from the file, which its owner alone may read", async () => {
    const identity = await generateIdentity();
    const recipient = await identityToRecipient(identity);
    const escrowFile = join(here.folder(), "copy.age");
    const kept = await escrowKey(key, { escrow: true, recipient, escrowFile }, signal, person("", false));
    expect(kept).toEqual({ how: "recipient", recipient });
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    const file = await readFile(escrowFile);
    expect(await decrypter.decrypt(file, "text")).toBe(`${text}\n`);
    expect(file.includes(text)).toBe(false);
    expect((await stat(escrowFile)).mode & 0o777).toBe(0o600);
    // A file that is there may be the only copy of another key.
    await expect(escrowKey(key, { escrow: true, recipient, escrowFile }, signal)).rejects.toThrow("cannot write");
  });

  test("a recipient that is none, and one without a file, are refused before anything is written", async () => {
    const escrowFile = join(here.folder(), "none.age");
    const given = { escrow: true, recipient: "age1nobody", escrowFile };
    await expect(escrowKey(key, given, signal)).rejects.toThrow("is no age recipient");
    await expect(stat(escrowFile)).rejects.toThrow("ENOENT");
    const recipient = await identityToRecipient(await generateIdentity());
    await expect(escrowKey(key, { escrow: true, recipient }, signal)).rejects.toThrow("--escrow-file");
  });
});
