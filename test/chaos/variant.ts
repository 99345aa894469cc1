import { type FakeSite, sha8 } from '../fake/fake-site.ts';
import type { Random } from './random.ts';

/** A recipe of the family: one install, three steps whose texts differ. */
export interface Variant {
  /** Of the steps. */
  readonly texts: readonly [string, string, string];
  readonly formats: readonly string[];
}

export const firstVariant: Variant = { texts: ['zero', 'one', 'two'], formats: ['raw'] };

/** Changes one step, mostly to a text that never was, else to one that may be in the cache. */
export function changeVariant(variant: Variant, random: Random, run: number): Variant {
  const changed = random.below(3);
  const text = random.chance(0.85) ? `run ${run}` : `text ${random.below(3)}`;
  const [zero, one, two] = variant.texts.map((old, step) => (step === changed ? text : old));
  const texts = [zero ?? '', one ?? '', two ?? ''] as const;
  return { texts, formats: random.chance(0.3) ? ['qcow2', 'raw'] : ['raw'] };
}

export function writeVariant(site: FakeSite, { texts, formats }: Variant): Promise<string> {
  const [content, ...scripts] = texts;
  const files = [{ path: '/etc/example', content: `${content}\n` }];
  const provision = [{ files }, ...scripts.map((text) => ({ scripts: [{ run: `echo ${text}` }] }))];
  return site.writeRecipe('web', { formats, provision });
}

/** The journal that the image must have, after the install. */
export function journalAfterInstall({ texts: [content, ...scripts] }: Variant): string[] {
  const entries = scripts.map((text) => `script ${sha8(`echo ${text}`)}`);
  return [`file /etc/example ${sha8(`${content}\n`)}`, ...entries, 'sealed'];
}
