import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSources } from '../../../src/recipe/sources.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('readSources', () => {
  it('refuses what is too large to be put into the guest, and reads an image of any size', async () => {
    await writeFile(join(folder, 'large'), '');
    await truncate(join(folder, 'large'), 2 ** 30 + 2 ** 29);
    const data = { base: 'large', provision: [{ files: [{ source: 'large' }] }] };
    const read: string[] = [];
    const { issues, sources } = await readSources(data, folder, async (path) => {
      read.push(path);
      return 'ab';
    });
    expect(issues).toEqual([
      {
        path: ['provision', 0, 'files', 0, 'source'],
        message: `${join(folder, 'large')} has 1.5 GiB; at most 1.0 GiB are put into the guest`,
        hint: expect.stringContaining('script'),
      },
    ]);
    expect(sources).toMatchObject([{ source: 'large', sha256: 'ab' }]);
    expect(read).toHaveLength(1);
  });
});
