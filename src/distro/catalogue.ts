import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { InputError, KvmimgError, messageOf, systemErrorCode } from '../errors.ts';
import { packageRoot } from '../package-root.ts';
import type { Arch } from '../recipe/schema.ts';
import { type Distro, type DistroOf, distroSchema, type InstallerLock, installerLockSchema } from './schema.ts';

/** Where the facts are: kvmimg's own, or a folder of the user's that stands in for them. */
export const distrosDir = process.env.KVMIMG_DISTROS_DIR || join(packageRoot, 'distros');

/** Ids of all distros, sorted. @throws InputError for a folder of the user's that cannot be read. */
export async function listDistroIds(dir: string = distrosDir): Promise<readonly string[]> {
  const names = await readdir(dir).catch((error) => {
    const reason = systemErrorCode(error) ?? messageOf(error);
    if (!process.env.KVMIMG_DISTROS_DIR) throw wrongFacts(dir, reason);
    const hint = "Name a folder that is like kvmimg's own distros/, or unset it.";
    throw new InputError([{ place: 'KVMIMG_DISTROS_DIR', message: `${dir} cannot be read: ${reason}`, hint }]);
  });
  return names
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => name.slice(0, -'.yaml'.length))
    .sort();
}

/** The facts about a distro; undefined when there is none of that name. Reads that one file only. */
export async function findDistro(id: string, dir: string = distrosDir): Promise<Distro | undefined> {
  // The list is asked, not the file system: an id is a name, never a path.
  if (!(await listDistroIds(dir)).includes(id)) return undefined;
  const path = join(dir, `${id}.yaml`);
  const distro = await readFacts(path, distroSchema, parse);
  if (distro.id !== id) throw wrongFacts(path, `its id is ${distro.id}`);
  return distro;
}

/** Every distro, in the order of their ids. */
export async function loadDistros(dir: string = distrosDir): Promise<readonly Distro[]> {
  const distros = await Promise.all((await listDistroIds(dir)).map((id) => findDistro(id, dir)));
  return distros.filter((distro) => distro !== undefined);
}

/** The pinned installer of a distro for an architecture; undefined when there is none. */
export async function findInstallerLock(
  distro: Distro,
  arch: Arch,
  dir: string = distrosDir,
): Promise<InstallerLock | undefined> {
  const name = distro.family === 'debian' ? distro.installerLocks[arch] : undefined;
  if (name === undefined) return undefined;
  const path = join(dir, name);
  const exists = (await readdir(dir)).includes(name);
  return exists ? readFacts(path, installerLockSchema, JSON.parse) : undefined;
}

/** The distribution's archive keys, which come with kvmimg. */
export async function readKeyring(distro: DistroOf<'debian'>, dir: string = distrosDir): Promise<Buffer> {
  const path = join(dir, distro.mirrors.keyring);
  return readFile(path).catch((error) => {
    throw wrongFacts(path, systemErrorCode(error) ?? messageOf(error));
  });
}

async function readFacts<T extends z.ZodType>(
  path: string,
  schema: T,
  parseText: (text: string) => unknown,
): Promise<z.output<T>> {
  let data: unknown;
  try {
    data = parseText(await readFile(path, 'utf8'));
  } catch (error) {
    throw wrongFacts(path, systemErrorCode(error) ?? messageOf(error));
  }
  const checked = schema.safeParse(data);
  if (!checked.success) throw wrongFacts(path, z.prettifyError(checked.error));
  return checked.data;
}

function wrongFacts(path: string, reason: string): KvmimgError {
  return new KvmimgError({
    code: 'distro-facts',
    message: `${path} cannot be used: ${reason}`,
    hint: 'This file comes with kvmimg. If you have not changed it, install kvmimg anew.',
  });
}
