import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeSite, makeFakeSite } from './fake-site.ts';

describe('the silence alarm of provisioning', () => {
  let site: FakeSite;
  beforeEach(async () => {
    site = await makeFakeSite();
  });
  afterEach(() => site.close());

  const build = async (scenario: object, silence = '2s') => {
    const provision = [{ timeout: '1h', scripts: [{ run: 'echo slow' }] }];
    const subject = await site.writeRecipe('web', { formats: ['raw'], limits: { silence }, provision });
    return site.build({ subject, scenario: { like: 'builds', ...scenario } }).ended;
  };

  it('lets a step be silent within its own limit', async () => {
    const { exitCode, said } = await build({ commands: [{ match: 'echo slow', delayMs: 8_000 }] }, '5s');
    expect(exitCode, said).toBe(0);
  });

  it('is as early as the recipe says before the steps, however long they may take', async () => {
    const { exitCode, said, seconds } = await build({ boot: [{ serial: 'Linux version 6.12' }] });
    expect(exitCode, said).toBe(1);
    expect(said).toMatch(/no sign of life for 2 s/);
    expect(said).toMatch(/Waiting for:\n {2}the installed system to answer by SSH\n/);
    expect(seconds).toBeLessThan(15);
  });

  it('is as early as that after them', async () => {
    const { exitCode, said } = await build({ commands: [{ match: '/run/kvmimg/seal', never: true }] });
    expect(exitCode, said).toBe(1);
    expect(said).toMatch(/no sign of life for 2 s/);
    expect(said).toMatch(/Waiting for:\n {2}the sealed guest to power itself off\n/);
  });
});
