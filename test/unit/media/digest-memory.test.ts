import { readFile, rename, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sha256Of } from '../../../src/media/digest.ts';
import { openDigestMemory } from '../../../src/media/digest-memory.ts';
import { type MediaFixture, makeMediaFixture } from './media-fixture.ts';

/** A whole second, which every file system keeps. */
const longAgo = 1_700_000_000;

let fixture: MediaFixture;
let path: string;
beforeEach(async () => {
  fixture = await makeMediaFixture();
  path = join(fixture.dir, 'big.iso');
  await writeFile(path, 'first');
  await utimes(path, longAgo, longAgo);
});
afterEach(() => fixture.scope.close());

/** Reads through another memory of the same cache, as the next build does. */
async function readAgain(algorithm: 'sha256' | 'sha512' = 'sha256') {
  let readBytes = 0;
  const onProgress = (bytes: number) => {
    readBytes = bytes;
  };
  const content = await openDigestMemory(fixture.cacheDir).read(path, algorithm, { onProgress });
  return { ...content, readBytes };
}

describe('the memory of digests', () => {
  it('reads a file once', async () => {
    const content = { algorithm: 'sha256', hex: sha256Of('first'), sizeBytes: 5 };
    expect(await readAgain()).toEqual({ ...content, readBytes: 5 });
    expect(await readAgain()).toEqual({ ...content, readBytes: 0 });
  });

  it('keeps digests of several algorithms', async () => {
    await readAgain('sha256');
    expect(await readAgain('sha512')).toMatchObject({ readBytes: 5, hex: expect.stringMatching(/^[0-9a-f]{128}$/) });
    expect(await readAgain('sha256')).toMatchObject({ readBytes: 0 });
    expect(await readAgain('sha512')).toMatchObject({ readBytes: 0 });
  });

  it.each([
    ['another content of the same length', () => writeFile(path, 'other')],
    [
      'another content with the same length and time',
      async () => {
        await writeFile(path, 'other');
        await utimes(path, longAgo, longAgo);
      },
    ],
    [
      'another file in its place',
      async () => {
        await writeFile(`${path}.new`, 'other');
        await utimes(`${path}.new`, longAgo, longAgo);
        await rename(`${path}.new`, path);
      },
    ],
  ])('reads again after %s', async (_, change) => {
    await readAgain();
    await change();
    expect((await readAgain()).hex).toBe(sha256Of('other'));
  });

  it('gives what is known without reading or noting anything', async () => {
    const find = () => openDigestMemory(fixture.cacheDir).find(path, 'sha256');
    expect(await find()).toBeUndefined();
    expect((await readAgain()).readBytes).toBe(5);
    expect(await find()).toBe(sha256Of('first'));
    await writeFile(path, 'other');
    expect(await find()).toBeUndefined();
  });

  it('reads again where the memory is damaged', async () => {
    await readAgain();
    const memoryPath = join(fixture.cacheDir, 'media-digests.json');
    await writeFile(memoryPath, (await readFile(memoryPath, 'utf8')).slice(0, 20));
    expect((await readAgain()).readBytes).toBe(5);
    expect((await readAgain()).readBytes).toBe(0);
  });
});
