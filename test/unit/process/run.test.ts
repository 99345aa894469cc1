import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { compileSources } from '../../../fixtures/compile.ts';
import { InterruptedError } from '../../../src/errors.ts';
import { endWithParent } from '../../../src/process/parent-death.ts';
import { quoteCommand } from '../../../src/process/quote-command.ts';
import { run, runOnOwnStreams } from '../../../src/process/run.ts';
import { start } from '../../../src/process/start.ts';
import { importLine, killHard, readLine, startChild } from '../host/child-program.ts';

const sh = (script: string): [string, string[]] => ['sh', ['-c', script]];

describe('run', () => {
  it('gives both outputs, and closes standard input', async () => {
    expect(await run(...sh('cat; echo out; echo err >&2'))).toEqual({ stdout: 'out\n', stderr: 'err\n', exitCode: 0 });
  });

  it('passes input on byte by byte', async () => {
    expect((await run('cat', [], { input: 'a\0b\n' })).stdout).toBe('a\0b\n');
  });

  it('runs with a language whose messages we know', async () => {
    const languages = 'echo $LANG; echo "$LC_ALL"; echo "$LANGUAGE"';
    vi.stubEnv('LC_ALL', 'de_DE.UTF-8');
    vi.stubEnv('LANGUAGE', 'de');
    try {
      expect((await run(...sh(languages), { env: { OTHER: '1' } })).stdout).toBe('C.UTF-8\nC.UTF-8\n\n');
      expect((await (await start(...sh(languages))).exited).lastLines).toEqual(['C.UTF-8', 'C.UTF-8', '']);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('fails with the command and the last lines of a program that fails', async () => {
    await expect(run(...sh('echo one; echo two >&2; exit 3'))).rejects.toMatchObject({
      code: 'program-failed',
      message: 'sh failed with exit code 3.',
      evidence: [
        { title: 'Command', lines: ["sh -c 'echo one; echo two >&2; exit 3'"] },
        { title: 'Its last lines', lines: ['one', 'two'] },
      ],
    });
  });

  it('tolerates the exit codes that are listed, and only these', async () => {
    expect((await run(...sh('exit 3'), { okExitCodes: [0, 3] })).exitCode).toBe(3);
    await expect(run(...sh('exit 0'), { okExitCodes: [3] })).rejects.toThrow('exit code 0');
  });

  it('says which program is missing, and how to get it', async () => {
    await expect(run('kvmimg-no-such-program', [])).rejects.toMatchObject({
      code: 'program-missing',
      hint: expect.stringContaining('doctor --fix'),
    });
  });

  it('lets a program end with kvmimg, and still says that one is missing', async () => {
    const compiled = await compileSources('run-ends');
    const child = `${importLine('run', join(compiled, 'process/run.js'))}
      const onLine = (line) => console.log(line);
      await run('sh', ['-c', 'echo $$; exec sleep 60'], { endsWithKvmimg: true, onLine });`;
    const parent = startChild(child, []);
    const pid = await readLine(parent);
    await killHard(parent);
    await expect.poll(() => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '(sleep) Z')).toContain(') Z');
    await rm(compiled, { recursive: true });
    const missing = run('kvmimg-no-such-program', [], { endsWithKvmimg: true });
    await expect(missing).rejects.toMatchObject({ code: 'program-missing' });
  }, 60_000);

  it('ends a program that takes too long', async () => {
    await expect(run('sleep', ['60'], { timeoutMs: 50 })).rejects.toMatchObject({ code: 'program-timeout' });
  });

  it('ends with the reason of an abort', async () => {
    const controller = new AbortController();
    const reason = new Error('Ctrl-C');
    setTimeout(() => controller.abort(reason), 50);
    await expect(run('sleep', ['60'], { signal: controller.signal })).rejects.toBe(reason);
  });

  it('tells lines as they come', async () => {
    const lines: string[] = [];
    await run(...sh('echo one; echo two'), { onLine: (line) => lines.push(line) });
    expect(lines).toEqual(['one', 'two']);
  });

  it('fails where it cannot keep the whole output of a program', async () => {
    const error = await run(...sh('yes "$(printf %099d 7)" | head -c 70000000')).catch((caught) => caught);
    expect(error).toMatchObject({ code: 'program-output', message: 'sh wrote more than 64 MiB.' });
    expect(error.evidence[1].lines).toContain(`${'0'.repeat(98)}7`);
  }, 60_000);

  it('lets a program whose lines are told write any amount, and keeps the last of them', async () => {
    let count = 0;
    const onLine = (): void => {
      count += 1;
    };
    const result = await run(...sh('yes "$(printf %099d 7)" | head -c 70000000; echo last; echo error >&2; exit 3'), {
      ...{ onLine, okExitCodes: [3] },
    });
    expect(result).toMatchObject({ stderr: 'error', exitCode: 3 });
    expect(result.stdout.split('\n')).toHaveLength(50);
    expect(result.stdout).toMatch(/\n0+7\nlast$/);
    expect(count).toBe(700_002);
    const failure = run(...sh('echo why; exit 1'), { onLine });
    await expect(failure).rejects.toMatchObject({ evidence: [{}, { lines: ['why'] }] });
  }, 60_000);

  it('tells a line without an end in pieces', async () => {
    const lengths: number[] = [];
    await run(...sh('head -c 1000000 /dev/zero'), { onLine: (line) => lengths.push(line.length) });
    expect(Math.max(...lengths)).toBeLessThanOrEqual(2 * 64 * 1024);
    expect(lengths.reduce((sum, length) => sum + length)).toBe(1_000_000);
  });

  it('does not take a working folder that is gone for a missing program', async () => {
    await expect(run('true', [], { cwd: '/kvmimg-no-such-folder' })).rejects.toMatchObject({ code: 'program-failed' });
  });
});

describe('runOnOwnStreams', () => {
  it('gives the program the streams of this process, and its exit code', async () => {
    const compiled = await compileSources('run');
    const child = `${importLine('runOnOwnStreams', join(compiled, 'process/run.js'))}
      const { signal } = new AbortController();
      const status = await runOnOwnStreams('sh', ['-c', 'cat; echo err >&2; exit 7'], { signal });
      process.exitCode = status + 1;`;
    const result = await run(process.execPath, ['--input-type=module', '-e', child], {
      input: 'in\n',
      okExitCodes: [8],
    });
    await rm(compiled, { recursive: true });
    expect(result).toEqual({ stdout: 'in\n', stderr: 'err\n', exitCode: 8 });
  }, 60_000);

  it('ends with the reason of an abort, with an interrupt, and where the program is missing', async () => {
    const { signal } = new AbortController();
    const reason = new Error('enough');
    await expect(runOnOwnStreams('sleep', ['60'], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const late = new AbortController();
    setTimeout(() => late.abort(reason), 50);
    await expect(runOnOwnStreams('sleep', ['60'], { signal: late.signal })).rejects.toBe(reason);
    await expect(runOnOwnStreams(...sh('kill -INT $$'), { signal })).rejects.toBeInstanceOf(InterruptedError);
    await expect(runOnOwnStreams('kvmimg-no-such-program', [], { signal })).rejects.toMatchObject({
      code: 'program-missing',
    });
  });
});

describe('start', () => {
  it('tells how the program ended, with its last lines', async () => {
    const child = await start(...sh('echo going; exit 4'));
    expect(await child.exited).toEqual({ exitCode: 4, signal: undefined, lastLines: ['going'] });
    expect(child.hasExited()).toBe(true);
  });

  it('ends the whole process group', async () => {
    const child = await start(...sh('sleep 60 & echo $!; wait'), {});
    await new Promise((resolve) => setTimeout(resolve, 200));
    child.kill('SIGKILL');
    const { signal, lastLines } = await child.exited;
    expect(signal).toBe('SIGKILL');
    // Gone, or dead and not yet collected by its new parent.
    const stat = await readFile(`/proc/${lastLines[0]}/stat`, 'utf8').catch(() => '(sleep) Z');
    expect(stat).toContain(') Z');
  });
});

describe('endWithParent', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it.each([
    ['knows the option', 'exit 0', true],
    ['does not', 'exit 1', false],
  ])('uses a setpriv that %s only so', async (_, script, isUsed) => {
    const tool = join(folder, 'setpriv');
    await writeFile(tool, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const wrapped = [tool, ['--pdeathsig', 'KILL', '--', 'p', 'a']];
    expect(endWithParent('p', ['a'], tool)).toEqual(isUsed ? wrapped : ['p', ['a']]);
  });

  it('leaves it away where there is none', () => {
    expect(endWithParent('p', ['a'], join(folder, 'none'))).toEqual(['p', ['a']]);
  });
});

describe('quoteCommand', () => {
  it.each([
    ['plain words as they are', ['-a', '--b=c,d', '/e/f'], 'p -a --b=c,d /e/f'],
    ['spaces and quotes', ["it's here", ''], `p 'it'\\''s here' ''`],
    ['what a shell would expand', ['$HOME', '*', '~'], "p '$HOME' '*' '~'"],
  ])('quotes %s', (_, args, expected) => {
    expect(quoteCommand('p', args)).toBe(expected);
  });
});
