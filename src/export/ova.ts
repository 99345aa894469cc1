import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';
import { KvmimgError } from '../errors.ts';
import { withByteSource } from './byte-source.ts';
import { part, type WorkOptions } from './export-format.ts';
import type { FileDigest } from './file-digest.ts';
import type { MachineFacts } from './machine-facts.ts';
import { findOvaProblems } from './ova-check.ts';
import { makeManifest } from './ova-manifest.ts';
import { readOva } from './ova-reader.ts';
import { makeOvf } from './ovf.ts';
import { readVmdkExtent } from './vmdk-extent.ts';

export interface OvaRequest {
  readonly path: string;
  readonly finalName: string;
  readonly facts: MachineFacts;
  /** The finished stream-optimized VMDK that goes into the OVA, byte for byte. */
  readonly vmdk: FileDigest & { readonly path: string };
}

/** Same inputs, same bytes: no clock. GNU tar warns of 1970, so it is the first day that FAT knows. */
const memberTime = new Date('1980-01-01T00:00:00Z');
/** What the size field of ustar holds: 11 octal digits. From there on tar-stream writes it in base 256, as GNU tar does. */
export const ustarMaxBytes = 8 * 2 ** 30 - 1;
/** The name field of ustar is 100 bytes long; `.vmdk` needs five. */
const maxNameLength = 95;

/** An OVA: descriptor, manifest, disk. What was written is read back and checked. */
export async function writeOva(request: OvaRequest, options: WorkOptions): Promise<void> {
  const { facts, vmdk, path } = request;
  const name = basename(request.finalName, '.ova').slice(0, maxNameLength);
  const extent = await withByteSource(vmdk, readVmdkExtent);
  const ovf = makeOvf(name, facts, {
    fileName: `${name}.vmdk`,
    fileSizeBytes: vmdk.sizeBytes,
    capacityBytes: extent.header.capacityBytes,
    populatedBytes: extent.grainCount * extent.header.grainBytes,
  });
  const manifest = makeManifest([
    { fileName: `${name}.ovf`, sha256: createHash('sha256').update(ovf).digest('hex') },
    { fileName: `${name}.vmdk`, sha256: vmdk.sha256 },
  ]);
  const texts = [
    { name: `${name}.ovf`, text: ovf },
    { name: `${name}.mf`, text: manifest },
  ];
  await writeTar(path, texts, { ...vmdk, name: `${name}.vmdk` }, part(options, 0, 0.5));
  await checkWritten(path, part(options, 0.5, 1));
}

interface TextMember {
  readonly name: string;
  readonly text: string;
}

interface FileMember {
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
}

async function writeTar(
  path: string,
  texts: readonly TextMember[],
  last: FileMember,
  options: WorkOptions,
): Promise<void> {
  const packer = pack();
  const file = await open(path, 'w');
  try {
    // A failure of either side ends the other, and is the one that is thrown.
    const fed = feed(packer, texts, last, options).catch((error: Error) => packer.destroy(error));
    for await (const chunk of packer as AsyncIterable<Buffer>) await file.appendFile(chunk);
    await fed;
  } finally {
    packer.destroy();
    await file.close();
  }
}

async function feed(packer: Pack, texts: readonly TextMember[], last: FileMember, options: WorkOptions): Promise<void> {
  for (const { name, text } of texts) packer.entry(memberHeader(name, Buffer.byteLength(text)), text);
  const content = createReadStream(last.path, { highWaterMark: 2 ** 20 });
  content.on('data', () => options.onProgress?.(content.bytesRead / last.sizeBytes));
  const entry = packer.entry(memberHeader(last.name, last.sizeBytes));
  await pipeline(content, entry, options.signal ? { signal: options.signal } : {});
  packer.finalize();
}

export function memberHeader(name: string, size: number) {
  return { name, size, mode: 0o644, uid: 0, gid: 0, mtime: memberTime, type: 'file' as const };
}

async function checkWritten(path: string, options: WorkOptions): Promise<void> {
  const problems = await findOvaProblems(await readOva(path, part(options, 0, 0.3)), part(options, 0.3, 1));
  if (problems.length === 0) return;
  throw new KvmimgError({
    code: 'ova-check-failed',
    message: 'The OVA that was written does not pass its own check.',
    hint: 'This is a defect of kvmimg; please report it.',
    evidence: [{ title: 'Found', lines: problems }],
  });
}
