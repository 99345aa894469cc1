import { join, resolve } from 'node:path';
import { distrosDir, findDistro, listDistroIds, readKeyring } from '../distro/catalogue.ts';
import type { DistroOf, InstallerLock } from '../distro/schema.ts';
import { InputError, KvmimgError, messageOf } from '../errors.ts';
import { findHostMirrors } from '../host/apt-sources.ts';
import { findCacheDir } from '../host/cache-dir.ts';
import { withScope } from '../lifecycle/scope.ts';
import { openContentStore } from '../media/content-store.ts';
import { openHttpClient } from '../media/http.ts';
import { makeLock } from '../media/installer-lock.ts';
import { writeSmallFile } from '../media/small-file.ts';
import type { Arch } from '../recipe/schema.ts';
import { httpUrl } from '../recipe/values.ts';
import { suggestName } from '../suggestion.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';

export interface LockFlags {
  readonly arch: Arch;
  readonly mirror?: string | undefined;
  readonly output?: string;
}

/** `kvmimg lock`: a fresh installer lock from a mirror; its path on standard output. */
export async function lock(id: string, flags: LockFlags, context: CommandContext): Promise<CommandStatus> {
  const distro = await findDistro(id);
  if (distro === undefined) {
    const hint = suggestName(id, await listDistroIds());
    throw new InputError([{ place: id, message: `there is no distro ${id}`, hint }]);
  }
  if (distro.family !== 'debian') {
    const message = `the installer of ${distro.title} needs no lock: its media are known by their digests`;
    throw new InputError([{ place: id, message }]);
  }
  const mirror = httpUrl.optional().safeParse(flags.mirror);
  if (!mirror.success) {
    const [issue] = mirror.error.issues;
    throw new InputError([{ place: '--mirror', message: issue?.message ?? 'must be a URL' }]);
  }
  const made = await fetchLock(distro, { ...flags, mirror: mirror.data }, context);
  const name = distro.installerLocks[flags.arch] ?? `${id}-${flags.arch}.lock.json`;
  const path = flags.output === undefined ? join(distrosDir, name) : resolve(context.cwd, flags.output);
  await writeLock(path, made);
  context.output.print(path);
  return 0;
}

async function fetchLock(distro: DistroOf<'debian'>, flags: LockFlags, { env, output, signal }: CommandContext) {
  const mirror = flags.mirror ?? (await findHostMirrors())?.main ?? distro.mirrors.public;
  const facts = {
    distro: distro.id,
    arch: flags.arch,
    release: distro.release,
    codename: distro.codename,
    keyring: await readKeyring(distro),
    extraUdebs: [],
  };
  return withScope((scope) => {
    const sources = {
      store: openContentStore(findCacheDir(env)),
      http: openHttpClient({ scope }),
      urls: [mirror],
      mediaDirs: [],
      offline: false,
    };
    return makeLock(facts, sources, { signal, onActivity: output.log });
  });
}

/** The file appears whole or not at all. */
async function writeLock(path: string, made: InstallerLock): Promise<void> {
  try {
    await writeSmallFile(path, `${JSON.stringify(made, undefined, 2)}\n`);
  } catch (cause) {
    throw new KvmimgError({
      code: 'lock-not-written',
      message: `The lock ${path} could not be written: ${messageOf(cause)}.`,
      hint: 'Name another file with --output.',
      cause,
    });
  }
}
