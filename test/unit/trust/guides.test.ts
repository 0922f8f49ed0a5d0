/** Every command and policy of a guide is what `signalbox trust generate` prints, word for word and in order. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { generatedFor, guides } from "./guides.ts";

const folder = join(import.meta.dirname, "../../../docs/guides");

describe.each(guides)("docs/guides/%s", (file, target, options) => {
  const text = readFileSync(join(folder, file), "utf8");
  const { artifacts } = generatedFor(target, options);

  it("shows what is generated, and no other command or policy", () => {
    const blocks = [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language, block]) => [language, block]);
    expect(blocks).toEqual(artifacts.map(({ language, text: made }) => [language, made]));
  });

  it("names every file, says why the usual recipes are unsafe, and ends with what to do if it is refused", () => {
    for (const { name } of artifacts) if (!/^(generate|refused)\.sh$/.test(name)) expect(text).toContain(`\`${name}\``);
    const heads = [...text.matchAll(/^## (.*)$/gm)].map(([, head]) => head);
    expect(heads).toContain("Why not the usual recipe");
    expect(heads.at(-1)).toBe("If it is refused");
  });
});
