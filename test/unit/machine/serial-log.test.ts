import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { followSerialLog } from '../../../src/machine/serial-log.ts';
import { waitUntil } from '../../../src/wait/wait-until.ts';

const signal = new AbortController().signal;
let dir: string;
let path: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
  path = join(dir, 'serial.log');
});

afterEach(() => rm(dir, { recursive: true, force: true }));

describe('followSerialLog', () => {
  it('tells lines as they come, and a prompt within a second', async () => {
    const lines: string[] = [];
    const log = await followSerialLog(path, (line) => lines.push(line));
    await appendFile(path, 'one\r\nPrompt> ');
    const check = () => (lines.includes('Prompt>') ? true : undefined);
    await waitUntil({ subject: 'the prompt', limitMs: 1_000, signal, check });
    expect(lines).toEqual(['one', 'Prompt>']);
    expect(log.lastLines(5)).toEqual(['one', 'Prompt>']);
    await log.finish();
  });

  it('tells a resting line once, and again when it is whole', async () => {
    const lines: string[] = [];
    const log = await followSerialLog(path, (line) => lines.push(line));
    await appendFile(path, 'Prompt> ');
    await waitUntil({ subject: 'the prompt', limitMs: 1_000, signal, check: () => lines[0] });
    await new Promise((resolve) => setTimeout(resolve, 600));
    await appendFile(path, 'yes\n');
    await log.finish();
    expect(lines).toEqual(['Prompt>', 'Prompt> yes']);
  });

  it('reads to the end when it is finished, and may be finished twice', async () => {
    const log = await followSerialLog(path);
    await appendFile(path, 'x\n'.repeat(100_000));
    await appendFile(path, 'last words');
    await log.finish();
    await log.finish();
    expect(log.lastLines(2)).toEqual(['x', 'last words']);
    expect(log.lastLines(0)).toEqual([]);
  });
});
