import { open } from 'node:fs/promises';
import { KvmimgError } from '../errors.ts';
import { findDataArchive } from './deb.ts';

/** The first bytes of an RPM package, in hexadecimal. */
const rpmMagic = 'edabeedb';

/**
 * Whether a file can be the package that its name promises, where no index has told its digest: an error page of a proxy
 * is none, nor is a .deb without its end. True of all names that promise no package.
 */
export async function looksLikeItsName(name: string, filePath: string): Promise<boolean> {
  if (name.endsWith('.rpm')) return (await readStart(filePath, rpmMagic.length / 2)) === rpmMagic;
  if (!/\.u?deb$/.test(name)) return true;
  return findDataArchive(filePath).then(
    () => true,
    (error: unknown) => {
      if (error instanceof KvmimgError) return false;
      throw error;
    },
  );
}

async function readStart(filePath: string, lengthBytes: number): Promise<string> {
  const file = await open(filePath);
  const { buffer } = await file.read(Buffer.alloc(lengthBytes), 0, lengthBytes, 0).finally(() => file.close());
  return buffer.toString('hex');
}
