import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileSources } from '../../../fixtures/compile.ts';
import { run } from '../../../src/process/run.ts';
import { importLine } from '../host/child-program.ts';

let compiled: string;
let dir: string;
beforeAll(async () => {
  compiled = await compileSources('temporary-folders');
  dir = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
  // Says that it runs, and does not end by itself.
  await writeFile(join(dir, 'qemu-img'), `#!/bin/sh\n>'${join(dir, 'runs')}'\nexec sleep 60\n`);
  await chmod(join(dir, 'qemu-img'), 0o755);
}, 60_000);
afterAll(() => Promise.all([compiled, dir].map((folder) => rm(folder, { recursive: true }))));

describe('a second Ctrl-C', () => {
  it.each([
    ['readRanges', 'disk/disk-layout.js', "{ path: 'a', format: 'raw' }, [{ offsetBytes: 0, sizeBytes: 512 }]"],
    [
      'probeAccel',
      'machine/accel/probe-accel.js',
      "{ accel: 'kvm', arch: 'amd64', binary: 'qemu-img', signal: new AbortController().signal, limitMs: 60_000 }",
    ],
  ])('removes the temporary folder of %s', async (name, file, args) => {
    const temporary = join(dir, name);
    await mkdir(temporary);
    await rm(join(dir, 'runs'), { force: true });
    const program = `
      import { existsSync, readdirSync } from 'node:fs';
      ${importLine('handleSignals', join(compiled, 'lifecycle/signals.js'))}
      ${importLine(name, join(compiled, file))}
      handleSignals(() => {});
      void ${name}(${args});
      while (!existsSync(${JSON.stringify(join(dir, 'runs'))})) await new Promise((resolve) => setTimeout(resolve, 10));
      console.log(readdirSync(process.env.TMPDIR).length);
      process.emit('SIGINT', 'SIGINT');
      process.emit('SIGINT', 'SIGINT');`;
    const env = { PATH: `${dir}:${process.env.PATH}`, TMPDIR: temporary };
    const child = await run(process.execPath, ['--input-type=module', '-e', program], { env, okExitCodes: [130] });
    expect(child.stdout).toBe('1\n');
    expect(await readdir(temporary)).toEqual([]);
  });
});
