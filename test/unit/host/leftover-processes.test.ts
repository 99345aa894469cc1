import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endLeftoverProcesses } from '../../../src/host/leftover-processes.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe.runIf(process.platform === 'linux')('endLeftoverProcesses', () => {
  it('ends an SSH client that works in the folder, and nothing else that does', async () => {
    const text = `${folder}/work/1/`;
    await mkdir(join(text, 'ssh'), { recursive: true });
    const place = { cwd: join(text, 'ssh'), stdio: 'ignore' } as const;
    const client = spawn('sleep', ['60'], { ...place, argv0: 'ssh' });
    const pager = spawn('sleep', ['60'], { ...place, argv0: 'less' });
    await Promise.all([once(client, 'spawn'), once(pager, 'spawn')]);
    const ended = once(client, 'exit');
    expect(await endLeftoverProcesses(text)).toEqual([client.pid]);
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(pager.exitCode).toBeNull();
    pager.kill();
  });
});
