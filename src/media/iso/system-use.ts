import { badIso, blockBytes, type ImageBytes } from './image-bytes.ts';

/** A field of the system use area: SUSP (IEEE P1281) and Rock Ridge (IEEE P1282) are made of these. */
export interface SystemUseField {
  /** Two letters. */
  readonly signature: string;
  readonly data: Buffer;
}

/** How much one folder may have in continuation areas: bounds the time that a lying image can cost. */
export interface ContinuationBudget {
  restBytes: number;
}

const maxAreasPerRecord = 64;
const maxAreaBytes = 64 * 1024;
/** Reading even an area of one byte costs a system call. */
const areaCostBytes = 512;

export function makeContinuationBudget(): ContinuationBudget {
  return { restBytes: 64 * 2 ** 20 };
}

/**
 * The fields of one directory record, those in its continuation areas (CE) included.
 *
 * @throws KvmimgError `bad-iso` for fields that overrun their area, and for areas that are outside, cyclic or too many.
 */
export async function readSystemUse(
  image: ImageBytes,
  systemUse: Buffer,
  budget: ContinuationBudget,
): Promise<readonly SystemUseField[]> {
  const fields: SystemUseField[] = [];
  let area: Buffer | undefined = systemUse;
  for (let areas = 0; area; areas++) {
    if (areas > maxAreasPerRecord) throw badIso(image.path, 'its Rock Ridge fields have no end');
    const inArea = parseFields(area);
    if (!inArea) throw badIso(image.path, 'its Rock Ridge fields are damaged');
    fields.push(...inArea.filter(({ signature }) => signature !== 'CE'));
    const next = inArea.find(({ signature }) => signature === 'CE');
    area = next && (await readContinuation(image, next, budget));
  }
  return fields;
}

async function readContinuation(
  image: ImageBytes,
  { data }: SystemUseField,
  budget: ContinuationBudget,
): Promise<Buffer> {
  if (data.length < 24) throw badIso(image.path, 'its Rock Ridge fields are damaged');
  const [block, offset, sizeBytes] = [data.readUInt32LE(0), data.readUInt32LE(8), data.readUInt32LE(16)];
  budget.restBytes -= Math.max(sizeBytes, areaCostBytes);
  if (sizeBytes > maxAreaBytes || budget.restBytes < 0) throw badIso(image.path, 'its Rock Ridge fields are too large');
  return image.read({ offsetBytes: block * blockBytes + offset, sizeBytes });
}

/** undefined where a field is shorter than its own header or longer than the area. */
function parseFields(area: Buffer): readonly SystemUseField[] | undefined {
  const fields: SystemUseField[] = [];
  for (let offset = 0; offset < area.length; ) {
    const rest = area.subarray(offset);
    if (rest.every((byte) => byte === 0)) return fields;
    const length = rest[2] ?? 0;
    if (length < 4 || length > rest.length) return undefined;
    const signature = rest.toString('latin1', 0, 2);
    if (signature === 'ST') return fields;
    fields.push({ signature, data: rest.subarray(4, length) });
    offset += length;
  }
  return fields;
}
