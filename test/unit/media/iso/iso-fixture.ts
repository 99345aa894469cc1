import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Iso, openIso } from '../../../../src/media/iso/iso.ts';

/** Writes an ISO and opens it for the time of `work`, which gets a folder to write into as well. */
export async function withIso<T>(bytes: Buffer, work: (iso: Iso, dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'kvmimg-iso-'));
  try {
    await writeFile(join(dir, 'test.iso'), bytes);
    const iso = await openIso(join(dir, 'test.iso'));
    return await work(iso, dir).finally(iso.close);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** The paths of everything below a folder. */
export async function listAll(iso: Iso, path = ''): Promise<string[]> {
  const entries = await iso.list(path);
  const paths: string[] = entries.map((entry) => entry.path);
  for (const { path: below, kind } of entries) if (kind === 'folder') paths.push(...(await listAll(iso, below)));
  return paths.sort();
}
