import { copyFile, open, rename, rm, stat } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { type ArchiveFile, makeCpio, paddingAfter } from './cpio.ts';
import { describeWriteFailure } from './disk-space.ts';

/**
 * An archive to append to an installer's initrd: its files win over the initrd's own, because the kernel unpacks
 * concatenated archives in order. The folders above the files are made again as root's, mode 0755; do not use a path
 * through a symbolic link of the initrd, which the kernel would replace by a folder.
 */
export function makeInitrdOverlay(files: readonly ArchiveFile[]): Uint8Array {
  const overlay = gzipSync(makeCpio(files), { level: 9 });
  // Byte 9 names the operating system that compressed (RFC 1952); the same files must give the same bytes anywhere.
  overlay[9] = 3;
  return overlay;
}

/** Writes an initrd and an overlay behind it, which starts at a multiple of 4. The file appears whole or not at all. */
export async function writeInitrd(initrdPath: string, overlay: Uint8Array, destination: string): Promise<void> {
  const partialPath = `${destination}.partial`;
  try {
    await copyFile(initrdPath, partialPath);
    const { size } = await stat(partialPath);
    const file = await open(partialPath, 'a');
    try {
      await file.writeFile(Buffer.concat([Buffer.alloc(paddingAfter(size)), overlay]));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partialPath, destination);
  } catch (error) {
    await rm(partialPath, { force: true });
    throw describeWriteFailure(destination, error);
  }
}
