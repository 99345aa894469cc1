import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openLayerStore } from '../../src/layer/store.ts';

/** Of each key that only the build has a text to look for. */
export async function keysOfBuild(cacheDir: string): Promise<readonly string[]> {
  const { layers } = await openLayerStore(cacheDir, new AbortController().signal).list();
  const keysDir = layers.find(({ record }) => record.phase === 'install')?.folder ?? '';
  const publicKeys = await Promise.all(
    ['user-key.pub', 'host-key.pub'].map((name) => readFile(join(keysDir, name), 'utf8')),
  );
  const hostKey = await readFile(join(keysDir, 'host-key'), 'utf8');
  // The second line of the secret, for every key begins with the same.
  return [...publicKeys.map((key) => key.split(' ')[1] ?? ''), hostKey.split('\n')[2] ?? ''];
}

/** Those of the texts that a file holds anywhere, in free blocks, too. */
export async function findTexts(path: string, texts: readonly string[]): Promise<string[]> {
  const overlap = Math.max(...texts.map((text) => text.length));
  const found = new Set<string>();
  let tail = Buffer.alloc(0);
  for await (const piece of createReadStream(path, { highWaterMark: 8 * 2 ** 20 })) {
    const bytes = Buffer.concat([tail, piece]);
    for (const text of texts) if (bytes.includes(text)) found.add(text);
    tail = bytes.subarray(-overlap);
  }
  return [...found];
}
