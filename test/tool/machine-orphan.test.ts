import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compileSources } from '../../fixtures/compile.ts';
import { waitUntil } from '../../src/wait/wait-until.ts';

const signal = new AbortController().signal;
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

/** A program that starts a machine with no disk, says its process number, and waits. */
const program = (compiled: string, workDir: string): string => `
import { Scope } from '${compiled}/lifecycle/scope.js';
import { handleSignals } from '${compiled}/lifecycle/signals.js';
import { startMachine } from '${compiled}/machine/machine.js';
const { signal } = handleSignals(() => {});
const spec = { arch: 'amd64', accel: 'tcg', cpuModel: 'max', cpus: 1, memoryBytes: 67108864,
  firmware: { kind: 'bios' }, disks: [], noReboot: true };
const machine = await startMachine(spec, { workDir: '${workDir}', scope: new Scope(), signal });
console.log(machine.pid);
`;

async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat !== undefined && !/\) [ZX] /.test(stat);
}

describe('a machine whose kvmimg is gone', () => {
  it.each([
    ['by SIGKILL', ['SIGKILL']],
    ['by the second Ctrl-C', ['SIGINT', 'SIGINT']],
  ] as const)('ends with it: %s', async (_how, signals) => {
    const compiled = await compileSources('machine-orphan');
    const script = join(dir, 'program.mjs');
    await writeFile(script, program(compiled, join(dir, 'work')));
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(createInterface({ input: child.stdout }), 'line');
    const pid = Number(line);
    expect(await isAlive(pid)).toBe(true);
    for (const name of signals) {
      child.kill(name);
      // Two signals at the same moment are one to a process.
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await waitUntil({
      subject: `QEMU (process ${pid}) to be gone`,
      limitMs: 5_000,
      signal,
      check: async () => ((await isAlive(pid)) ? undefined : true),
    });
  });
});
