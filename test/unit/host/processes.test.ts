import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { isProcessAlive, parseStat, readProcessStartTime } from '../../../src/host/processes.ts';

describe('isProcessAlive', () => {
  it('knows this process by its start time, and no other with its number', async () => {
    const startTime = (await readProcessStartTime(process.pid)) ?? '';
    expect(startTime).not.toBe('');
    expect(await isProcessAlive(process.pid, startTime)).toBe(true);
    expect(await isProcessAlive(process.pid, `${startTime}1`)).toBe(false);
  });

  it('sees a killed child as dead, also before anybody has reaped it', async () => {
    const child = spawn('sleep', ['60']);
    await once(child, 'spawn');
    const pid = child.pid ?? 0;
    const startTime = (await readProcessStartTime(pid)) ?? '';
    expect(await isProcessAlive(pid, startTime)).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await isProcessAlive(pid, startTime)).toBe(false);
  });

  it('sees a zombie as dead', async () => {
    // The shell starts a child and becomes, before that ends, a program that never reaps it.
    const parent = spawn('/bin/sh', ['-c', 'sleep 1 & echo $!; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [chunk] = (await once(parent.stdout, 'data')) as [Buffer];
    const zombie = Number(chunk.toString());
    await expect.poll(() => readProcessStartTime(zombie), { timeout: 5_000 }).toBeUndefined();
    expect(() => process.kill(zombie, 0)).not.toThrow();
    parent.kill('SIGKILL');
  });
});

describe('parseStat', () => {
  it('counts the fields after the name, whatever the name holds', () => {
    const fields = Array.from({ length: 30 }, (_, index) => `f${index + 4}`).join(' ');
    expect(parseStat(`12 (a) R (b 1) S ${fields}`)).toEqual({ state: 'S', startTicks: 'f22' });
  });
});
