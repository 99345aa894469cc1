import { rmSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { registerKill } from '../../lifecycle/signals.ts';
import { describeWriteFailure } from '../disk-space.ts';
import type { Extent, ImageBytes } from './image-bytes.ts';

const chunkBytes = 2 ** 20;
const zeros = Buffer.alloc(chunkBytes);

/**
 * Copies runs of bytes of the image to a file, which appears whole or not at all.
 *
 * @throws KvmimgError `bad-iso`, `no-space`; the signal's reason
 */
export async function extractExtents(
  image: ImageBytes,
  extents: readonly Extent[],
  { toPath, signal }: { readonly toPath: string; readonly signal: AbortSignal },
): Promise<void> {
  const partialPath = `${toPath}.partial`;
  const forget = registerKill(() => rmSync(partialPath, { force: true }));
  try {
    const file = await open(partialPath, 'w');
    try {
      let doneBytes = 0;
      for (const extent of extents) {
        await copyExtent(image, extent, { file, toBytes: doneBytes, signal });
        doneBytes += extent.sizeBytes;
      }
      await file.truncate(doneBytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partialPath, toPath);
  } catch (error) {
    await rm(partialPath, { force: true });
    throw describeWriteFailure(toPath, error);
  } finally {
    forget();
  }
}

/** Zeros become holes. */
async function copyExtent(
  image: ImageBytes,
  { offsetBytes, sizeBytes }: Extent,
  { file, toBytes, signal }: { readonly file: FileHandle; readonly toBytes: number; readonly signal: AbortSignal },
): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, sizeBytes));
  for (let done = 0; done < sizeBytes; done += buffer.length) {
    signal.throwIfAborted();
    const chunk = buffer.subarray(0, Math.min(buffer.length, sizeBytes - done));
    await image.fill(chunk, offsetBytes + done);
    if (!chunk.equals(zeros.subarray(0, chunk.length))) await writeAll(file, chunk, toBytes + done);
  }
}

async function writeAll(file: FileHandle, chunk: Buffer, toBytes: number): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    done += (await file.write(chunk, done, chunk.length - done, toBytes + done)).bytesWritten;
  }
}
