import { describe, expect, it } from 'vitest';
import { showExport } from '../../../src/cli/show-progress.ts';

type Work = Parameters<typeof showExport<string>>[2];

/** What a person sees of an export whose standard error is no terminal. */
async function show(work: Work): Promise<{ readonly lines: readonly string[]; readonly ended: unknown }> {
  let text = '';
  const write = (part: string): void => {
    text += part;
  };
  const output = { write, print: write, log: write, showLogIn: () => {}, isTerminal: false };
  const context = { output, env: {}, cwd: '/', signal: new AbortController().signal };
  const ended = await showExport(context, 'Convert a.qcow2', work).catch((error: Error) => error.message);
  return { ended, lines: text.split('\n').filter((line) => line !== '') };
}

describe('the progress of convert', () => {
  it('is that of the export of a build', async () => {
    const { lines, ended } = await show(async (onProgress) => {
      onProgress(0.25, 'raw 25 %');
      return 'the files';
    });
    expect(ended).toBe('the files');
    expect(lines).toEqual([
      '[00:00] export: Convert a.qcow2',
      '[00:00] export: raw 25 % (25 %)',
      expect.stringMatching(/^\[00:00\] export: done in 0\.\d s$|^\[00:00\] export: done in 0 s$/),
    ]);
  });

  it('tells where it failed, and nothing of what never began', async () => {
    const failed = await show((onProgress) => {
      onProgress(0, 'raw 0 %');
      return Promise.reject(new Error('no'));
    });
    expect(failed.lines.at(-1)).toMatch(/export: failed after/);
    expect(failed.ended).toBe('no');
    expect((await show(() => Promise.reject(new Error('no')))).lines).toEqual([]);
  });
});
