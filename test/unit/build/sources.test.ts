import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadSources } from '../../../src/build/sources.ts';
import { makePlan } from '../../../src/plan/make-plan.ts';
import type { Plan } from '../../../src/plan/plan.ts';
import { readSources } from '../../../src/recipe/sources.ts';
import { makeInputs } from '../plan/plan-inputs.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
  for (const name of ['a', 'b']) await writeFile(join(folder, name), `content of ${name}`);
});
afterEach(() => rm(folder, { recursive: true }));

async function planOfTwoSteps(): Promise<Plan> {
  const recipe = {
    provision: [{ files: [{ path: '/etc/a', source: 'a' }] }, { scripts: [{ source: 'b' }] }],
  };
  const { sources } = await readSources(recipe, folder);
  const made = makePlan({ ...makeInputs({ recipe }), sources });
  if ('problems' in made) throw new Error(JSON.stringify(made.problems));
  return made.plan;
}

describe('loadSources', () => {
  it('reads what the step takes, and nothing else', async () => {
    const plan = await planOfTwoSteps();
    await rm(join(folder, 'a'));
    expect(await loadSources(plan, { kind: 'step', index: 1 })).toEqual(new Map([['b', Buffer.from('content of b')]]));
    expect(await loadSources(plan, { kind: 'users' })).toEqual(new Map());
  });

  it('tells of a file that has changed since it was planned', async () => {
    const plan = await planOfTwoSteps();
    await writeFile(join(folder, 'a'), 'something else');
    await expect(loadSources(plan, { kind: 'step', index: 0 })).rejects.toMatchObject({
      code: 'source-changed',
      message: `${join(folder, 'a')} has changed since the build was planned.`,
    });
  });
});
