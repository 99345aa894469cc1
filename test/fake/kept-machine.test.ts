import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeSite, makeFakeSite } from './fake-site.ts';

/** Nothing listens there. */
const closedPort = 9;
const login = [{ serial: 'Debian GNU/Linux 13 localhost ttyS0' }, { prompt: 'localhost login: ' }];

describe('--keep-on-failure', () => {
  let site: FakeSite;
  beforeEach(async () => {
    site = await makeFakeSite();
  });
  afterEach(() => site.close());

  const build = (scenario: object) => site.build({ scenario, args: ['--keep-on-failure', '--set', 'limits.ssh=2s'] });
  const consoleOf = (said: string): string => /serial console is written to (\S+)\./.exec(said)?.[1] ?? '';

  it('keeps a machine that never answers by SSH, and `kvmimg shell` tries to enter it', async () => {
    const running = build({ like: 'builds', boot: login, sshPort: closedPort });
    await running.untilSaid('gives the whole report');
    expect(running.said()).toMatch(/its machine is kept: Waited 2 s for the guest to answer by SSH/);
    expect(running.child.exitCode).toBeNull();
    expect(existsSync(consoleOf(running.said()))).toBe(true);
    const id = /kvmimg shell ([0-9a-f]+)/.exec(running.said())?.[1] ?? '';
    const shell = site.run(['shell', id, '--', 'true']);
    await shell.untilSaid('Entering the machine of fake-13');
    shell.child.kill('SIGINT');
    expect((await shell.ended).exitCode).toBe(130);
    running.child.kill('SIGINT');
    const { exitCode, said } = await running.ended;
    expect(exitCode, said).toBe(1);
    expect(said).toMatch(/Waiting for:\n {2}the installed system to answer by SSH\n/);
    expect(await site.leftovers()).toEqual([]);
  });

  it('keeps the machine of an image that never prints its host key, says why it cannot be entered, and ends with it', async () => {
    const running = build({ like: 'builds', firstBoot: login });
    await running.untilSaid('gives the whole report');
    expect(running.said()).toContain('It cannot be entered, for it has not printed its SSH host key.');
    expect(running.said()).not.toContain('kvmimg shell');
    expect(running.child.exitCode).toBeNull();
    expect(existsSync(consoleOf(running.said()))).toBe(true);
    for (const { pid, firstBoot } of await site.machineStarts()) if (firstBoot) process.kill(pid);
    const { exitCode, said } = await running.ended;
    expect(exitCode, said).toBe(1);
    expect(said).toContain('The machine that was kept has ended.');
    expect(said).toMatch(/error: Waited 2 s for the booted image to print its SSH host key/);
    expect(await site.leftovers()).toEqual([]);
  });

  it('says that there is nothing to keep of a machine that has ended, and fails at once', async () => {
    const { exitCode, said } = await build({ like: 'builds', firstBoot: [...login, { die: 'SIGKILL' }] }).ended;
    expect(exitCode, said).toBe(1);
    expect(said).toContain('Its machine has ended by itself, so there is none to keep.');
    expect(said).not.toContain('gives the whole report');
  });
});
