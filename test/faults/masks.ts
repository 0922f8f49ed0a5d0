/** Secrets cut wherever they can be cut, against a search of the whole output that shares nothing with the product. */
import { encodeMasks, needlesOf } from "../../src/worker/logs/needles.ts";
import { naiveMask } from "../unit/logs/naive-mask.ts";
import { textOf } from "../unit/logs/seeded.ts";
import type { Random } from "./fault.ts";
import { bodyOf } from "./model.ts";
import type { RoomFault, Trial } from "./room-fault.ts";
import { FaultViewer } from "./viewer.ts";

/** Some overlap themselves, some each other: `aab` in many shapes. */
function secretsFrom(random: Random): string[] {
  const alphabet = ["ab", "aab", "abé", 'abcdefghijk0123456789+/="\\'][random(4)] ?? "ab";
  const first = textOf(random, alphabet, 8 + random(20));
  return [first, `${first.slice(random(6))}${textOf(random, alphabet, 8)}`, textOf(random, alphabet, 9)];
}

async function cutEverywhere({ world, job, random }: Trial): Promise<string[]> {
  const secrets = secretsFrom(random);
  const { needles } = needlesOf(encodeMasks(secrets.map((value, at) => ({ name: `S${at}`, value }))));
  if (needles.length === 0) return [];
  const shown = needles[random(needles.length)] ?? "";
  const other = needles[random(needles.length)] ?? "";
  const text = `be${shown}${other.slice(random(other.length))}af`;
  await world.arm(job, secrets);
  const cuts = cutsOf(text);
  const viewer = new FaultViewer(world, job);
  let [position, plain] = [0, ""];
  for (const [index, at] of cuts.entries()) {
    const pieces = [text.slice(0, at), `${text.slice(at)}\n----\n`];
    plain += pieces.join("");
    for (const piece of pieces) {
      await world.push(job, position, bodyOf(position, [piece]));
      position++;
    }
    if (index % 17 === 0) await world.evict(job, "hibernate");
  }
  await world.call(job, "finish", { result: "passed", notice: null });
  await viewer.ended();
  if (viewer.broken !== null) return [`the viewer: ${viewer.broken}`];
  const events = viewer.shown.filter((record) => /^\d/.test(record));
  const got = events.map((record) => record.slice(record.indexOf(" ") + 1)).join("");
  const expected = naiveMask(plain, needles);
  const leaked = needles.filter((needle) => got.includes(needle));
  return [
    ...(leaked.length > 0 ? [`${leaked.length} needles are in what a viewer sees`] : []),
    ...(got === expected ? [] : ["what a viewer sees is not what masking the whole output gives"]),
  ];
}

/** Between any two characters; of a long text, a spread of 60. */
function cutsOf(text: string): number[] {
  let at = 0;
  const cuts = Array.from(text, (char) => {
    at += char.length;
    return at - char.length;
  });
  const step = Math.ceil(cuts.length / 60);
  return cuts.filter((_, index) => index % step === 0);
}

export const masks: readonly RoomFault[] = [
  {
    name: "masking",
    promise: "a secret cut at any place, over pushes and evictions, is seen by nobody, and nothing else is hidden",
    planted: "forgets_carry",
    trials: 20,
    run: cutEverywhere,
  },
];
