import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ArchiveFile, makeCpio } from '../../src/media/cpio.ts';
import { fetchDebianParts } from './debian-parts.ts';

export type InstallerFamily = 'ubuntu' | 'redhat' | 'photon';

/**
 * What the tiny installer does: `installs` if everything is right, `asks` a question on the console, `fails` with an
 * error and its logs, says that it `cannot-parse` the answer file, or `hangs` without a word.
 */
export type Scenario = 'installs' | 'asks' | 'fails' | 'cannot-parse' | 'hangs';

/** The sources of the tiny installer. */
export const installerFolder = fileURLToPath(new URL('../../fixtures/tiny-installer', import.meta.url));

export interface TinyInitrdOptions {
  readonly family: InstallerFamily;
  readonly scenario: Scenario;
  /** What the initrd of this medium holds beside the installer. */
  readonly files: readonly ArchiveFile[];
}

/** An initrd with the tiny installer of a family, not compressed: unpacking takes longer than reading. */
export async function makeTinyInitrd({ family, scenario, files }: TinyInitrdOptions): Promise<Uint8Array> {
  const parts = await fetchDebianParts();
  const modules = await Promise.all(parts.modulePaths.map((path) => archiveFile(path, `modules/${basename(path)}`)));
  const order = parts.modulePaths.map((path) => `${basename(path, '.ko')}\n`).join('');
  return makeCpio([
    ...(await readInstaller()),
    ...modules,
    ...files,
    { path: 'modules/order', mode: 0o644, content: order },
    { path: 'installer/family', mode: 0o644, content: `${family}\n` },
    { path: 'tiny-scenario', mode: 0o644, content: `${scenario}\n` },
    await archiveFile(parts.busyboxPath, 'bin/busybox'),
  ]);
}

async function readInstaller(): Promise<ArchiveFile[]> {
  const entries = await readdir(installerFolder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name !== 'README.md');
  return Promise.all(
    files.map((entry) => {
      const path = `${entry.parentPath}/${entry.name}`;
      const name = path.slice(installerFolder.length + 1);
      return archiveFile(path, name === 'init' ? name : `installer/${name}`);
    }),
  );
}

async function archiveFile(source: string, path: string): Promise<ArchiveFile> {
  return { path, mode: 0o755, content: await readFile(source) };
}
