import { open } from 'node:fs/promises';
import { KvmimgError, systemErrorCode } from '../errors.ts';
import type { DiskFormat } from './disk-image.ts';

/** What a file is, by its first bytes. */
export type ImageKind =
  | { readonly is: 'disk'; readonly format: DiskFormat }
  | { readonly is: 'ova' }
  | { readonly is: 'other'; readonly what: string; readonly hint?: string };

interface Magic {
  readonly offset: number;
  readonly bytes: string;
  readonly kind: ImageKind;
}

const decompress = (program: string) => `Decompress it first: ${program}.`;
const other = (what: string, hint?: string): ImageKind => ({ is: 'other', what, ...(hint ? { hint } : {}) });
const readableFormats = 'kvmimg reads qcow2, raw, vmdk and ova; `qemu-img convert` can make a qcow2 of it.';

/** Latin-1 spelling of the first bytes of what people hand over. */
const magics: readonly Magic[] = [
  { offset: 0, bytes: 'QFI\xfb', kind: { is: 'disk', format: 'qcow2' } },
  { offset: 0, bytes: 'KDMV', kind: { is: 'disk', format: 'vmdk' } },
  { offset: 0, bytes: '# Disk DescriptorFile', kind: { is: 'disk', format: 'vmdk' } },
  { offset: 257, bytes: 'ustar', kind: { is: 'ova' } },
  { offset: 0, bytes: '\x1f\x8b', kind: other('compressed by gzip', decompress('gunzip')) },
  { offset: 0, bytes: '\xfd7zXZ\0', kind: other('compressed by xz', decompress('unxz')) },
  { offset: 0, bytes: '\x28\xb5\x2f\xfd', kind: other('compressed by zstd', decompress('unzstd')) },
  { offset: 0, bytes: 'BZh', kind: other('compressed by bzip2', decompress('bunzip2')) },
  { offset: 0, bytes: 'PK\x03\x04', kind: other('a ZIP archive', decompress('unzip')) },
  { offset: 0, bytes: 'vhdxfile', kind: other('a VHDX image', readableFormats) },
  { offset: 0, bytes: 'conectix', kind: other('a VHD image', readableFormats) },
  { offset: 64, bytes: '\x7f\x10\xda\xbe', kind: other('a VDI image', readableFormats) },
  { offset: 0, bytes: '\x7fELF', kind: other('a program (ELF)') },
  { offset: 32_769, bytes: 'CD001', kind: other('an ISO 9660 image, such as an installer CD', 'Give a disk image.') },
];

const probeBytes = 33 * 1024;
const sectorBytes = 512;

/** @throws KvmimgError `image-missing`, `image-permission`. */
export async function readImageKind(path: string): Promise<ImageKind> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw cannotOpen(path, error);
  });
  try {
    const stats = await file.stat();
    if (stats.isDirectory()) return other('a folder');
    if (!stats.isFile()) return other('not a regular file');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(probeBytes), 0, probeBytes, 0);
    return findImageKind(buffer.subarray(0, bytesRead), stats.size);
  } finally {
    await file.close();
  }
}

/** Judges the first 33 KiB of a file. What nothing else is recognised in is a raw disk if its size can be one. */
export function findImageKind(start: Buffer, sizeBytes: number): ImageKind {
  if (sizeBytes === 0) return other('an empty file');
  const text = start.toString('latin1');
  const magic = magics.find(({ offset, bytes }) => text.startsWith(bytes, offset));
  if (magic) return magic.kind;
  if (/^[\t\n\r\x20-\x7e\x80-\xff]+$/.test(text.slice(0, 4096))) return other('a text file');
  if (sizeBytes % sectorBytes !== 0) return other('of no kind that kvmimg knows, and not a whole number of sectors');
  return { is: 'disk', format: 'raw' };
}

function cannotOpen(path: string, cause: unknown): unknown {
  const code = systemErrorCode(cause);
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new KvmimgError({
      code: 'image-missing',
      message: `${path} does not exist.`,
      hint: 'Check the path.',
      cause,
    });
  }
  if (code !== 'EACCES' && code !== 'EPERM') return cause;
  return new KvmimgError({ code: 'image-permission', message: `There is no permission to read ${path}.`, cause });
}
