import { type FileHandle, open, stat } from 'node:fs/promises';
import { KvmimgError, messageOf, systemErrorCode } from '../../errors.ts';

/** ISO 9660 allows blocks of 512 and 1024 bytes too; no CD or DVD image has them, and the kernel cannot attach them. */
export const blockBytes = 2048;

/** A run of bytes in the image. */
export interface Extent {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** The bytes of an ISO. Nothing is read past its end, whatever its own fields say. */
export interface ImageBytes {
  readonly path: string;
  readonly sizeBytes: number;
  readonly holds: (extent: Extent) => boolean;
  /** Exactly the bytes of the extent. @throws KvmimgError `bad-iso` */
  readonly read: (extent: Extent) => Promise<Buffer>;
  /** Fills the whole buffer from there. @throws KvmimgError `bad-iso` */
  readonly fill: (buffer: Buffer, offsetBytes: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

export function badIso(path: string, reason: string, cause?: unknown): KvmimgError {
  const hint = 'Download it again, or give a good copy with --media.';
  return new KvmimgError({ code: 'bad-iso', message: `${path} cannot be used as an ISO: ${reason}.`, hint, cause });
}

/** @throws KvmimgError `bad-iso` when it is missing, no regular file, or cannot be opened. */
export async function openImageBytes(path: string): Promise<ImageBytes> {
  // Asked before it is opened: the open of a FIFO waits for a writer.
  const found = await stat(path).catch((error: unknown) => {
    throw badIso(path, systemErrorCode(error) === 'ENOENT' ? 'there is no such file' : messageOf(error), error);
  });
  if (!found.isFile()) throw badIso(path, 'it is not a regular file');
  const file = await open(path, 'r').catch((error: unknown) => {
    throw badIso(path, messageOf(error), error);
  });
  return makeImageBytes(path, file, found.size);
}

function makeImageBytes(path: string, file: FileHandle, sizeBytes: number): ImageBytes {
  const holds = ({ offsetBytes, sizeBytes: length }: Extent): boolean =>
    offsetBytes >= 0 && length >= 0 && offsetBytes + length <= sizeBytes;
  const fill = async (buffer: Buffer, offsetBytes: number): Promise<void> => {
    if (!holds({ offsetBytes, sizeBytes: buffer.length })) throw badIso(path, `it ends before byte ${offsetBytes}`);
    for (let done = 0; done < buffer.length; ) {
      const { bytesRead } = await file
        .read(buffer, done, buffer.length - done, offsetBytes + done)
        .catch((error: unknown) => {
          throw badIso(path, `reading at byte ${offsetBytes} failed: ${messageOf(error)}`, error);
        });
      if (bytesRead === 0) throw badIso(path, 'it became shorter while it was read');
      done += bytesRead;
    }
  };
  const read = async (extent: Extent): Promise<Buffer> => {
    // Before anything is allocated.
    if (!holds(extent)) throw badIso(path, `it ends before byte ${extent.offsetBytes + extent.sizeBytes}`);
    const buffer = Buffer.alloc(extent.sizeBytes);
    await fill(buffer, extent.offsetBytes);
    return buffer;
  };
  return { path, sizeBytes, holds, read, fill, close: () => file.close() };
}
