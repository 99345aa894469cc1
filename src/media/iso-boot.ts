import { join } from 'node:path';
import { KvmimgError } from '../errors.ts';
import { type Iso, type IsoEntry, openIso } from './iso/iso.ts';

/** What is wanted of an ISO. */
export interface IsoBootFiles {
  /** Paths on the ISO. */
  readonly kernel: string;
  readonly initrd: string;
  /** Of the ISO that was meant, for the message where it is another one. */
  readonly volumeId?: string | undefined;
}

/** Kernel and initrd as files of their own, and the ISO's label, by which an installer finds it again. */
export interface IsoBoot {
  readonly kernelPath: string;
  readonly initrdPath: string;
  readonly volumeId: string;
}

/**
 * Takes kernel and initrd out of an ISO, into the work folder.
 *
 * @throws KvmimgError `iso-content` where a path is not on the ISO, `bad-iso`, `no-space`; the signal's reason
 */
export async function openIsoBoot(
  isoPath: string,
  wanted: IsoBootFiles,
  { workDir, signal }: { readonly workDir: string; readonly signal: AbortSignal },
): Promise<IsoBoot> {
  const iso = await openIso(isoPath);
  try {
    const [kernel, initrd] = [await findFile(iso, wanted.kernel), await findFile(iso, wanted.initrd)];
    if (kernel === undefined || initrd === undefined) {
      const missing = [...(kernel ? [] : [wanted.kernel]), ...(initrd ? [] : [wanted.initrd])];
      throw notOnIso({ isoPath, iso, missing }, wanted);
    }
    const [kernelPath, initrdPath] = [join(workDir, 'iso-kernel'), join(workDir, 'iso-initrd')];
    await iso.extract(kernel, kernelPath, { signal });
    await iso.extract(initrd, initrdPath, { signal });
    return { kernelPath, initrdPath, volumeId: iso.volumeId };
  } finally {
    await iso.close();
  }
}

async function findFile(iso: Iso, path: string): Promise<IsoEntry | undefined> {
  const entry = await iso.find(path);
  return entry?.kind === 'file' ? entry : undefined;
}

function notOnIso(
  { isoPath, iso, missing }: { readonly isoPath: string; readonly iso: Iso; readonly missing: readonly string[] },
  { volumeId }: IsoBootFiles,
): KvmimgError {
  const expected = volumeId === undefined || volumeId === iso.volumeId ? '' : `; "${volumeId}" was expected`;
  return new KvmimgError({
    code: 'iso-content',
    message: `${isoPath} has no ${missing.join(' and no ')}. Its volume is "${iso.volumeId}"${expected}.`,
    hint: 'It may be the ISO of another release, architecture or edition. Take the one that the distro names (kvmimg plan).',
  });
}
