/** What a small ISO of a test holds. */
export type IsoNode =
  | { readonly parts: readonly Buffer[] }
  | { readonly folder: IsoFolder; readonly isRelocated?: true }
  | { readonly relocatedTo: string };
export type IsoFolder = Readonly<Record<string, IsoNode>>;

export interface IsoImage {
  readonly bytes: Buffer;
  /** Where the record of a path begins, in the tree with the best names. */
  readonly recordOf: (path: string) => number;
  /** Where a folder's own records begin. */
  readonly folderOf: (path: string) => number;
}

export type IsoNames = 'rock-ridge' | 'joliet' | 'plain';

const blockBytes = 2048;
const rockRidgeId = Buffer.from('RRIP_1991A');

export const file = (...parts: readonly string[]): IsoNode => ({ parts: parts.map((part) => Buffer.from(part)) });
export const folder = (children: IsoFolder): IsoNode => ({ folder: children });

/** Writes an ISO, so that a test can know where each lie goes. A folder must fit into one block. */
export function makeIsoImage(root: IsoFolder, names: IsoNames): IsoImage {
  const blocks: Buffer[] = Array.from({ length: 19 }, () => Buffer.alloc(blockBytes));
  const contents = new Map<Buffer, number>();
  const plain = writeTree(root, names === 'rock-ridge' ? names : 'plain', { blocks, contents });
  const best = names === 'joliet' ? writeTree(root, 'joliet', { blocks, contents }) : plain;
  describeVolume(blocks[16], { type: 1, rootBlock: plain.rootBlock, volumeBlocks: blocks.length });
  const isJoliet = names === 'joliet';
  describeVolume(blocks[17], { type: isJoliet ? 2 : 255, rootBlock: best.rootBlock, volumeBlocks: blocks.length });
  if (isJoliet) blocks[17]?.write('%/E', 88, 'latin1');
  describeVolume(blocks[18], { type: 255, rootBlock: 0, volumeBlocks: 0 });
  const look = (found: number | undefined): number => found ?? Number.NaN;
  return {
    bytes: Buffer.concat(blocks),
    recordOf: (path) => look(best.records.get(path)),
    folderOf: (path) => look(best.folders.get(path)) * blockBytes,
  };
}

interface Layout {
  readonly blocks: Buffer[];
  readonly contents: Map<Buffer, number>;
}

interface WrittenTree {
  readonly rootBlock: number;
  readonly records: Map<string, number>;
  readonly folders: Map<string, number>;
}

function writeTree(root: IsoFolder, names: IsoNames, layout: Layout): WrittenTree {
  const records = new Map<string, number>();
  const folders = placeFolders(root, layout);
  const rootBlock = blockOf(folders, '');
  for (const [path, block] of folders) {
    const parentBlock = path === '' ? block : blockOf(folders, path.slice(0, Math.max(path.lastIndexOf('/'), 0)));
    const isOfRockRidge = names === 'rock-ridge';
    const own = makeRecord({
      id: byte(0),
      block,
      size: blockBytes,
      flags: 2,
      use: isOfRockRidge ? ownFields(path) : [],
    });
    const written = [own, makeRecord({ id: byte(1), block: parentBlock, size: blockBytes, flags: 2, use: [] })];
    for (const [name, node] of Object.entries(folderAt(root, path))) {
      records.set(join(path, name), block * blockBytes + Buffer.concat(written).length);
      const id = makeIdentifier(name, names, 'folder' in node);
      const use = isOfRockRidge ? childFields(name, node, { layout, folders }) : [];
      written.push(...makeRecords(node, { id, use, block: blockOf(folders, join(path, name)) }, layout));
    }
    Buffer.concat(written).copy(layout.blocks[block] ?? byte(0));
  }
  return { rootBlock, records, folders };
}

/** The block of each folder by its path, before anything is written: a record may point to a later folder. */
function placeFolders(root: IsoFolder, { blocks }: Layout): Map<string, number> {
  const folders = new Map<string, number>();
  const place = (path: string, children: IsoFolder): void => {
    folders.set(path, blocks.push(Buffer.alloc(blockBytes)) - 1);
    for (const [name, node] of Object.entries(children)) if ('folder' in node) place(join(path, name), node.folder);
  };
  place('', root);
  return folders;
}

function blockOf(folders: ReadonlyMap<string, number>, path: string): number {
  return folders.get(path) ?? 0;
}

function folderAt(root: IsoFolder, path: string): IsoFolder {
  let found = root;
  for (const name of path.split('/').filter((part) => part !== '')) {
    const node = found[name];
    if (node && 'folder' in node) found = node.folder;
  }
  return found;
}

/** Writes a content once, whatever the number of trees that have it. Gives its first block. */
function store(bytes: Buffer, { blocks, contents }: Layout): number {
  const block = contents.get(bytes) ?? blocks.length;
  if (!contents.has(bytes)) {
    for (let at = 0; at < bytes.length; at += blockBytes) {
      blocks.push(Buffer.concat([bytes.subarray(at, at + blockBytes)], blockBytes));
    }
  }
  contents.set(bytes, block);
  return block;
}

function makeRecords(
  node: IsoNode,
  { id, use, block }: Pick<RecordFacts, 'id' | 'use' | 'block'>,
  layout: Layout,
): readonly Buffer[] {
  if ('folder' in node) return [makeRecord({ id, block, size: blockBytes, flags: 2, use })];
  if ('relocatedTo' in node) return [makeRecord({ id, block: 0, size: 0, flags: 0, use })];
  return node.parts.map((part, index) => {
    const flags = index < node.parts.length - 1 ? 0x80 : 0;
    return makeRecord({ id, block: store(part, layout), size: part.length, flags, use: index === 0 ? use : [] });
  });
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}

function makeIdentifier(name: string, names: IsoNames, isFolder: boolean): Buffer {
  const version = isFolder ? '' : ';1';
  if (names === 'joliet') return Buffer.from(`${name}${version}`, 'utf16le').swap16();
  const plain = name
    .slice(0, 12)
    .toUpperCase()
    .replace(/[^A-Z0-9_.]/g, '_');
  return Buffer.from(isFolder ? plain : `${plain}${plain.includes('.') ? '' : '.'}${version}`, 'latin1');
}

interface RecordFacts {
  readonly id: Buffer;
  readonly block: number;
  readonly size: number;
  readonly flags: number;
  readonly use: readonly Buffer[];
}

function makeRecord({ id, block, size, flags, use }: RecordFacts): Buffer {
  const padding = Buffer.alloc(id.length % 2 === 0 ? 1 : 0);
  const body = Buffer.concat([Buffer.alloc(33), id, padding, ...use]);
  const record = Buffer.concat([body, Buffer.alloc(body.length % 2)]);
  record[0] = record.length;
  writeBoth(record, 2, block);
  writeBoth(record, 10, size);
  record[25] = flags;
  record[32] = id.length;
  return record;
}

function describeVolume(
  block: Buffer | undefined,
  {
    type,
    rootBlock,
    volumeBlocks,
  }: { readonly type: number; readonly rootBlock: number; readonly volumeBlocks: number },
): void {
  if (!block) return;
  block.write(`${String.fromCharCode(type)}CD001\x01`, 0, 'latin1');
  block.write('TINY'.padEnd(32), 40, 'latin1');
  writeBoth(block, 80, volumeBlocks);
  block.writeUInt16LE(blockBytes, 128);
  makeRecord({ id: byte(0), block: rootBlock, size: blockBytes, flags: 2, use: [] }).copy(block, 156);
}

function field(signature: string, ...data: readonly Buffer[]): Buffer {
  const body = Buffer.concat(data);
  return Buffer.concat([Buffer.from(signature), Buffer.from([4 + body.length, 1]), body]);
}

function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 * values.length);
  for (const [index, value] of values.entries()) writeBoth(bytes, 8 * index, value);
  return bytes;
}

function ownFields(path: string): readonly Buffer[] {
  const id = Buffer.concat([Buffer.from([rockRidgeId.length, 0, 0, 1]), rockRidgeId]);
  return path === '' ? [field('SP', Buffer.from([0xbe, 0xef, 0])), field('ER', id)] : [];
}

function childFields(
  name: string,
  node: IsoNode,
  { layout, folders }: { readonly layout: Layout; readonly folders: ReadonlyMap<string, number> },
): readonly Buffer[] {
  const fields = [field('PX', numbers('folder' in node ? 0o040755 : 0o100644, 1, 0, 0))];
  if ('relocatedTo' in node) fields.push(field('CL', numbers(blockOf(folders, node.relocatedTo))));
  if ('folder' in node && node.isRelocated) fields.push(field('RE'));
  return [...fields, ...nameFields(Buffer.from(name), layout)];
}

/** Forty bytes of the name at a time, the rest in a continuation area of its own. */
function nameFields(name: Buffer, layout: Layout): readonly Buffer[] {
  const isLast = name.length <= 40;
  const first = field('NM', byte(isLast ? 0 : 1), name.subarray(0, 40));
  if (isLast) return [first];
  const rest = Buffer.concat(nameFields(name.subarray(40), layout));
  return [field('CE', numbers(store(rest, layout), 0, rest.length)), first];
}

function byte(value: number): Buffer {
  return Buffer.from([value]);
}

/** A number in both byte orders. */
function writeBoth(bytes: Buffer, offset: number, value: number): void {
  bytes.writeUInt32LE(value, offset);
  bytes.writeUInt32BE(value, offset + 4);
}
