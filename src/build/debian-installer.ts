import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type DebianRunFacts,
  debianKernelArguments,
  loadDebianTemplates,
  renderDebianAnswerFile,
} from '../answer-file/debian.ts';
import { findKeyring } from '../distro/catalogue.ts';
import { KvmimgError } from '../errors.ts';
import type { SshKeyPair } from '../guest/ssh-keys.ts';
import { makeBuildKey } from '../media/build-key.ts';
import { makeInitrdOverlay, writeInitrd } from '../media/initrd.ts';
import { makePinnedUrls } from '../media/installer-lock.ts';
import { type Netboot, openNetboot } from '../media/netboot.ts';
import type { FetchOptions, MediaSources } from '../media/pinned-file.ts';
import { fetchAllPinned, listUdebFiles } from '../media/pinned-udebs.ts';
import { makeUdebIndex, udebSuite } from '../media/udeb-index.ts';
import type { Plan } from '../plan/plan.ts';

/** Everything that the installer needs and that is known by its digest: fetched, verified, on this machine. */
export interface DebianMedia extends Netboot {
  /** Paths of the udebs by their path below the mirror. */
  readonly udebs: ReadonlyMap<string, string>;
}

/** The keys that live as long as one install layer. */
export interface BuildKeys {
  readonly user: SshKeyPair;
  readonly host: SshKeyPair;
}

/** What d-i boots and finds, apart from the answer files. */
export interface DebianBootSet {
  /** The initrd with the key of this build's udeb index. */
  readonly initrdPath: string;
  /** What the mirror seems to hold, by path, as content or the path of a file: the signed udeb index, the pinned udebs, a word about the architecture. */
  readonly local: ReadonlyMap<string, Uint8Array | string>;
}

/** @throws what `fetchPinned` throws. */
export async function fetchDebianMedia(
  plan: Plan,
  from: Omit<MediaSources, 'urls'>,
  options: FetchOptions,
): Promise<DebianMedia> {
  const urls = makePinnedUrls(plan.mirrors.build, plan.mirrors.archive, plan.lock);
  const sources = { ...from, urls };
  const netboot = await openNetboot(plan.lock, sources, options);
  return { ...netboot, udebs: await fetchAllPinned(listUdebFiles(plan.lock, plan.distro.skipUdebs), sources, options) };
}

/** Makes the udeb index of the pinned set, signed with a key of this build, and an initrd that trusts that key. */
export async function makeDebianBootSet(plan: Plan, media: DebianMedia, workDir: string): Promise<DebianBootSet> {
  const buildKey = await makeBuildKey();
  const keyring = Buffer.concat([await readFile(findKeyring(plan.distro)), buildKey.publicKeyring]);
  const initrdPath = join(workDir, 'initrd');
  const overlay = makeInitrdOverlay([{ path: 'usr/share/keyrings/archive.gpg', mode: 0o644, content: keyring }]);
  await writeInitrd(media.initrdPath, overlay, initrdPath);
  const index = await makeUdebIndex(plan.lock, { skip: plan.distro.skipUdebs, buildKey });
  const entries = [...index, ...media.udebs, makeArchRelease(plan)].map(
    ([path, content]): [string, Uint8Array | string] => [`debian/${path}`, content],
  );
  return { initrdPath, local: new Map(entries) };
}

/**
 * What choose-mirror asks about the architecture, unsigned, and nobody else reads. A mirror that is in the middle of an
 * update may have one that its index does not name, which would end the install for nothing.
 */
function makeArchRelease({ distro, recipe }: Plan): readonly [path: string, content: Uint8Array] {
  const path = `dists/${distro.codename}/main/binary-${recipe.arch}/Release`;
  return [path, Buffer.from(`Origin: Debian\nComponent: main\nArchitecture: ${recipe.arch}\n`)];
}

/**
 * The answer file and its scripts by name, and the kernel arguments. `machineArguments` are for this machine's kernel
 * only, not for the image.
 */
export async function makeDebianAnswer(plan: Plan, run: DebianRunFacts, machineArguments: readonly string[]) {
  const files = renderDebianAnswerFile(plan, run, await loadDebianTemplates());
  return {
    files: new Map(Object.entries(files).map(([name, content]) => [name, content] as const)),
    kernelArguments: debianKernelArguments(plan, run, machineArguments),
  };
}

/** Facts of this run as the guest sees them. `seedRoot` is the guest's URL of the seed server with its token. */
export function makeDebianRunFacts(seedRoot: string, syslogPort: number, keys: BuildKeys): DebianRunFacts {
  const { host, pathname } = new URL(seedRoot);
  const root = pathname.replace(/\/$/, '');
  return {
    seedUrl: `http://${host}${root}/seed`,
    callbackUrl: `http://${host}${root}/callback`,
    mirrorHost: host,
    mirrorPath: `${root}/debian`,
    securityHost: host,
    securityPath: `${root}/debian-security`,
    udebSuite,
    syslogHost: '10.0.2.2',
    syslogPort,
    buildUserKey: keys.user.publicKey,
    hostKey: keys.host,
  };
}

/** The failure that a callback of the installer's scripts reports; undefined for a point of progress. */
export function findCallbackFailure(name: string): KvmimgError | undefined {
  const status = /^(\w+)-end\/(\d+)$/.exec(name);
  if (!status || status[2] === '0') return undefined;
  return new KvmimgError({
    code: 'installer-script',
    message: `The ${status[1]} script of the answer file failed in the guest with exit code ${status[2]}.`,
    hint: `Its commands and their output are the last lines of the installer's log. The script is preseed/${status[1]}.sh.`,
  });
}
