import { convertDisk } from '../disk/qemu-img.ts';
import { part, verifySameDisk, type WorkOptions, type WriteRequest } from './export-format.ts';

/** A compressed qcow2. zlib, since what was deployed before QEMU 5.1 (2020) reads nothing else. */
export async function writeQcow2(request: WriteRequest, options: WorkOptions): Promise<void> {
  const destination = { path: request.path, format: 'qcow2' as const };
  const formatOptions = { compat: '1.1', cluster_size: 65_536, compression_type: 'zlib' };
  const conversion = { source: request.source, destination, compress: true, formatOptions };
  await convertDisk(conversion, part(options, 0, 0.7));
  await verifySameDisk(request.source, destination, part(options, 0.7, 1));
}
