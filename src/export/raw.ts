import { convertDisk } from '../disk/qemu-img.ts';
import { part, verifySameDisk, type WorkOptions, type WriteRequest } from './export-format.ts';

/** The bare disk; runs of zeros are holes in the file. */
export async function writeRaw(request: WriteRequest, options: WorkOptions): Promise<void> {
  const destination = { path: request.path, format: 'raw' as const };
  await convertDisk({ source: request.source, destination }, part(options, 0, 0.6));
  await verifySameDisk(request.source, destination, part(options, 0.6, 1));
}
