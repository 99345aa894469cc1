import { parseRecord } from './directory-record.ts';
import { badIso, blockBytes, type Extent, type ImageBytes } from './image-bytes.ts';

export interface Volume {
  readonly volumeId: string;
  readonly plainRoot: Extent;
  /** The root of a second tree, with longer names for the same files. */
  readonly jolietRoot: Extent | undefined;
}

const firstDescriptorBlock = 16;
const maxDescriptors = 64;
const descriptorType = { primary: 1, supplementary: 2, terminator: 255 } as const;

/** The escape sequences of UCS-2 levels 1 to 3, by which a supplementary volume is Joliet. */
const jolietEscapes: readonly string[] = ['%/@', '%/C', '%/E'];

/**
 * Reads the volume descriptors (ECMA-119, section 8).
 *
 * @throws KvmimgError `bad-iso` when there are none, or when the volume is larger than the file.
 */
export async function readVolume(image: ImageBytes): Promise<Volume> {
  const descriptors = await readDescriptors(image);
  const primary = descriptors.find((descriptor) => descriptor[0] === descriptorType.primary);
  if (!primary) throw badIso(image.path, 'it has no primary volume descriptor');
  if (primary.readUInt16LE(128) !== blockBytes) throw badIso(image.path, `its blocks are not of ${blockBytes} bytes`);
  const volumeBytes = primary.readUInt32LE(80) * blockBytes;
  if (volumeBytes > image.sizeBytes) {
    throw badIso(image.path, `it is cut off: ${image.sizeBytes} bytes are there of ${volumeBytes}`);
  }
  const joliet = descriptors.find(isJoliet);
  return {
    volumeId: primary.toString('latin1', 40, 72).replace(/[\0 ]+$/, ''),
    plainRoot: findRoot(primary, image),
    jolietRoot: joliet && findRoot(joliet, image),
  };
}

async function readDescriptors(image: ImageBytes): Promise<readonly Buffer[]> {
  const descriptors: Buffer[] = [];
  while (descriptors.length < maxDescriptors) {
    const place = { offsetBytes: (firstDescriptorBlock + descriptors.length) * blockBytes, sizeBytes: blockBytes };
    const isFirst = descriptors.length === 0;
    if (!image.holds(place)) throw badIso(image.path, isFirst ? 'it is too short to be one' : 'it is cut off');
    const descriptor = await image.read(place);
    if (descriptor.toString('latin1', 1, 6) !== 'CD001') {
      throw badIso(image.path, isFirst ? 'it is not an ISO 9660 image' : 'its volume descriptors are damaged');
    }
    if (descriptor[0] === descriptorType.terminator) return descriptors;
    descriptors.push(descriptor);
  }
  throw badIso(image.path, 'its volume descriptors have no end');
}

function isJoliet(descriptor: Buffer): boolean {
  const sequence = descriptor.toString('latin1', 88, 91);
  return descriptor[0] === descriptorType.supplementary && jolietEscapes.includes(sequence);
}

function findRoot(descriptor: Buffer, image: ImageBytes): Extent {
  const record = parseRecord(descriptor.subarray(156, 190));
  if (!record?.isFolder) throw badIso(image.path, 'its volume descriptor has no root folder');
  return record.extent;
}
