import { join } from 'node:path';
import { readKeyring } from '../../distro/catalogue.ts';
import type { KvmimgError } from '../../errors.ts';
import { type BuildKey, makeBuildKey } from '../../media/build-key.ts';
import { makeInitrdOverlay, writeInitrd } from '../../media/initrd.ts';
import { makePinnedUrls } from '../../media/installer-lock.ts';
import { type Netboot, openNetboot } from '../../media/netboot.ts';
import { fetchAllPinned, listUdebFiles } from '../../media/pinned-udebs.ts';
import { makeUdebIndex } from '../../media/udeb-index.ts';
import { type PlanOf, planOf } from '../../plan/plan-of.ts';
import type { BuildRun } from '../build-run.ts';
import { debianVoice } from './debian-voice.ts';
import {
  type BuildKeys,
  type FamilyInstaller,
  type InstallBoot,
  makeAnswer,
  makeRunFacts,
} from './family-installer.ts';

type DebianPlan = PlanOf<'debian', 'netboot'>;

/** Debian's installer, from a netboot image and udebs that are known by their digests. */
export const debianInstaller: FamilyInstaller = {
  voice: debianVoice,
  fetchMedia: async (run, options) => {
    const plan = planOf(run.plan, 'debian', 'netboot');
    const { lock } = plan.media;
    const urls = makePinnedUrls(plan.mirrors.build, plan.distro.mirrors.archive, lock);
    const sources = { ...run.access, urls };
    const netboot = await openNetboot(lock, sources, options);
    const onMissing = (error: KvmimgError): void => run.warn(`${error.message} The installer may ask for it in vain.`);
    const files = listUdebFiles(lock, plan.distro.skipUdebs);
    const udebs = await fetchAllPinned(files, sources, { ...options, ...(lock.unproven ? { onMissing } : {}) });
    const used = [lock.kernel, lock.initrd].map(({ member, sha256 }) => ({ file: member, sha256 }));
    return { files: used, makeBoot: (keys) => prepareBoot(run, plan, { netboot, udebs, keys }) };
  },
};

interface BootParts {
  readonly netboot: Netboot;
  /** Paths of the udebs by their path below the mirror. */
  readonly udebs: ReadonlyMap<string, string>;
  readonly keys: BuildKeys;
}

async function prepareBoot(run: BuildRun, plan: DebianPlan, { netboot, udebs, keys }: BootParts): Promise<InstallBoot> {
  const buildKey = await makeBuildKey();
  const keyring = Buffer.concat([await readKeyring(plan.distro), buildKey.publicKeyring]);
  const initrdPath = join(run.workDir, 'initrd');
  const overlay = makeInitrdOverlay([{ path: 'usr/share/keyrings/archive.gpg', mode: 0o644, content: keyring }]);
  await writeInitrd(netboot.initrdPath, overlay, initrdPath);
  const local = [...(await makeUdebSuite(plan, buildKey)), ...udebs, makeArchRelease(plan)];
  return {
    ...(await makeAnswer(run, makeRunFacts(run, keys))),
    kernelPath: netboot.kernelPath,
    initrdPath,
    local: new Map(local.map(([path, content]): [string, Uint8Array | string] => [`debian/${path}`, content])),
  };
}

/** The index of the pinned udebs, signed with a key of this build that the initrd trusts. */
function makeUdebSuite({ media: { lock }, distro }: DebianPlan, buildKey: BuildKey) {
  return makeUdebIndex(lock, { skip: distro.skipUdebs, buildKey });
}

/**
 * What choose-mirror asks about the architecture, unsigned, and nobody else reads. A mirror that is in the middle of an
 * update may have one that its index does not name, which would end the install for nothing.
 */
function makeArchRelease({ distro, recipe }: DebianPlan): readonly [path: string, content: Uint8Array] {
  const path = `dists/${distro.codename}/main/binary-${recipe.arch}/Release`;
  return [path, Buffer.from(`Origin: Debian\nComponent: main\nArchitecture: ${recipe.arch}\n`)];
}
