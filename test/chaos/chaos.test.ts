import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeFakeSite } from '../fake/fake-site.ts';
import { type HurtPhase, hurtPhases, isHurt } from './build-phase.ts';
import { chooseSeed, makeRandom } from './random.ts';
import { runChaos } from './site-run.ts';
import { putOnFillableDisk } from './small-disk.ts';

/** Builds with the fake QEMU, each killed or hurt at some moment and then done again: CHAOS_RUNS of them. */
const runs = Number(process.env.CHAOS_RUNS ?? 300);
const seed = chooseSeed();
const timeoutMs = 45 * 60_000;

const sites = ['a cache', 'another cache', 'a cache on a disk that fills up'] as const;
const runsPerSite = Math.ceil(runs / sites.length);

describe(`${runs} builds that are killed or hurt, CHAOS_SEED=${seed}`, { timeout: timeoutMs }, () => {
  const hits: HurtPhase[] = [];
  const closes: (() => Promise<void>)[] = [];
  beforeAll(() => console.info(`CHAOS_SEED=${seed} CHAOS_RUNS=${runs}`));
  afterAll(async () => {
    for (const close of closes.reverse()) await close();
  });

  describe.concurrent('each done again, at', () => {
    it.each(sites)('%s: is right, uses nothing damaged, and leaves nothing', async (title) => {
      const site = await makeFakeSite();
      closes.push(() => site.close());
      const disk = title === sites[2] ? await putOnFillableDisk(site) : undefined;
      if (disk) closes.push(disk.close);
      const random = makeRandom(seed + sites.indexOf(title));
      hits.push(...(await runChaos({ site, random, runs: runsPerSite, disk })));
    });
  });

  it('were hurt in every phase', () => {
    const counts = new Map(hits.map((hit) => [hit, hits.filter((other) => other === hit).length]));
    console.info(`hurt at: ${[...counts].map(([phase, count]) => `${phase} ${count}`).join(', ')}`);
    expect(hits.filter(isHurt)).toHaveLength(runsPerSite * sites.length);
    expect([...counts.keys()]).toEqual(expect.arrayContaining([...hurtPhases]));
  });
});
