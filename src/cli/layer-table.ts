import { basename } from 'node:path';
import type { StoreContents, StoredLayer } from '../layer/store.ts';
import { formatSize } from '../recipe/quantities.ts';

/** A layer as `cache ls --json` prints it. */
export interface LayerRow {
  readonly id: string;
  /** Null where the record is damaged. */
  readonly key: string | null;
  readonly parentId: string | null;
  readonly title: string;
  readonly recipe: string;
  readonly distro: string;
  readonly sizeBytes: number;
  /** ISO 8601. */
  readonly createdAt: string | null;
  readonly usedAt: string | null;
  readonly children: number;
  readonly state: 'in use' | 'cached' | 'dead' | 'damaged';
  /** How many layers it stands on. */
  readonly depth: number;
}

/** One row a layer: each chain from its root, what stands on a layer below it; damaged ones at the end. */
export function makeLayerRows({ layers, damaged }: StoreContents): LayerRow[] {
  const ids = new Set(layers.map((layer) => layer.record.id));
  const withChildren = (layer: StoredLayer, depth: number): LayerRow[] => [
    makeRow(layer, depth),
    ...layers
      .filter((child) => child.record.parentId === layer.record.id)
      .flatMap((child) => withChildren(child, depth + 1)),
  ];
  const roots = layers.filter(({ record }) => record.parentId === undefined || !ids.has(record.parentId));
  return [
    ...roots.flatMap((root) => withChildren(root, 0)),
    ...damaged.map(({ folder, damage, sizeBytes }) => ({
      ...{ id: basename(folder), title: damage, sizeBytes, state: 'damaged' as const, depth: 0, children: 0 },
      ...{ key: null, parentId: null, recipe: '', distro: '', createdAt: null, usedAt: null },
    })),
  ];
}

function makeRow({ record, sizeBytes, usedAt, children, inUse, dead }: StoredLayer, depth: number): LayerRow {
  const { id, key, parentId = null, title, recipe, distro, createdAt } = record;
  const state = inUse ? 'in use' : dead ? 'dead' : 'cached';
  const [used, count] = [usedAt.toISOString(), children.length];
  return {
    id,
    key,
    parentId,
    title,
    recipe,
    distro,
    sizeBytes,
    createdAt,
    usedAt: used,
    children: count,
    state,
    depth,
  };
}

const titleWidth = 48;

/** The rows for a person, with a heading and the total. */
export function renderLayerTable(rows: readonly LayerRow[], now: Date): string[] {
  const age = (time: string | null): string => (time === null ? '' : formatAge(now.getTime() - Date.parse(time)));
  const cells = rows.map((row) => [
    `${'  '.repeat(row.depth)}${shorten(row.title)}`,
    row.recipe === row.distro ? row.recipe : `${row.recipe} (${row.distro})`,
    formatSize(row.sizeBytes),
    age(row.createdAt),
    age(row.usedAt),
    String(row.children),
    row.state,
    row.id.slice(0, 8),
  ]);
  const heading = ['LAYER', 'RECIPE (DISTRO)', 'SIZE', 'AGE', 'LAST USED', 'CHILDREN', 'STATE', 'ID'];
  const totalBytes = rows.reduce((sum, row) => sum + row.sizeBytes, 0);
  const total = `${rows.length} ${rows.length === 1 ? 'layer' : 'layers'}, ${formatSize(totalBytes)}`;
  return rows.length === 0 ? [total] : [...alignColumns([heading, ...cells]), total];
}

function shorten(title: string): string {
  return title.length <= titleWidth ? title : `${title.slice(0, titleWidth - 1)}…`;
}

function alignColumns(lines: readonly (readonly string[])[]): string[] {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  return lines.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** `now`, `5 min`, `3 h`, `12 d`. */
export function formatAge(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return 'now';
  if (minutes < 120) return `${minutes} min`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / (24 * 60))} d`;
}
