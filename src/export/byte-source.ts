import { type FileHandle, open } from 'node:fs/promises';

/** Random access to a file, or to a part of one. */
export interface ByteSource {
  readonly sizeBytes: number;
  /** Exactly that many bytes; undefined where the file does not hold them all. */
  readonly read: (offsetBytes: number, lengthBytes: number) => Promise<Buffer | undefined>;
}

export function byteSource(file: FileHandle, offsetBytes: number, sizeBytes: number): ByteSource {
  return {
    sizeBytes,
    read: async (offset, length) => {
      if (!Number.isSafeInteger(offset) || offset < 0 || length < 0 || offset + length > sizeBytes) return undefined;
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offsetBytes + offset);
      return bytesRead === length ? buffer : undefined;
    },
  };
}

/** Opens a file, or the part of it that an image lies in, for the time of `work`. */
export async function withByteSource<T>(
  place: {
    readonly path: string;
    readonly within?: { readonly offsetBytes: number; readonly sizeBytes: number } | undefined;
  },
  work: (source: ByteSource) => Promise<T>,
): Promise<T> {
  const file = await open(place.path, 'r');
  try {
    const { size } = await file.stat();
    return await work(byteSource(file, place.within?.offsetBytes ?? 0, place.within?.sizeBytes ?? size));
  } finally {
    await file.close();
  }
}
