import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const src = fileURLToPath(new URL('../../src', import.meta.url));

/** The order of DESIGN: a folder imports from those above it. Folders of one line do not know each other. */
const order: readonly (readonly string[])[] = [
  ['errors', 'suggestion', 'package-root'],
  ['lifecycle', 'process', 'wait', 'recipe', 'progress'],
  ['distro', 'host'],
  ['plan'],
  ['answer-file'],
  ['media', 'seed-server', 'disk', 'machine', 'guest', 'layer'],
  ['export', 'verify'],
  ['build', 'doctor'],
  ['cli'],
  ['main'],
];

/** Within their line: what the design has in one line and does build on its neighbour. */
const neighbours: Readonly<Record<string, readonly string[]>> = {
  process: ['lifecycle'],
  progress: ['recipe'],
};

/** Libraries that have one door. */
const doors: Readonly<Record<string, RegExp>> = {
  execa: /^process\//,
  commander: /^cli\//,
  listr2: /^progress\/terminal\.ts$/,
};

interface Module {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const modules: readonly Module[] = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => {
    const text = readFileSync(join(src, path), 'utf8');
    const imports = [...text.matchAll(/(?:\bfrom|\bimport\()\s*'([^']+)'/g)].map((match) => match[1] ?? '');
    return { path, text, imports };
  });

const levelOf = (folder: string): number => order.findIndex((line) => line.includes(folder));
const folderOf = (path: string): string => path.split('/')[0]?.replace(/\.ts$/, '') ?? '';

describe('the imports of src', () => {
  it('are of folders that the order names', () => {
    expect(modules.map(({ path }) => folderOf(path)).filter((folder) => levelOf(folder) < 0)).toEqual([]);
  });

  it('go one way', () => {
    const wrong = modules.flatMap(({ path, imports }) =>
      imports
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => relative(src, join(src, dirname(path), specifier)))
        .filter((target) => {
          const [from, to] = [folderOf(path), folderOf(target)];
          return from !== to && levelOf(to) >= levelOf(from) && !neighbours[from]?.includes(to);
        })
        .map((target) => `${path} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it.each(Object.entries(doors))('reach %s through one door', (library, door) => {
    const importers = modules.filter(({ imports }) => imports.includes(library)).map(({ path }) => path);
    expect(importers.filter((path) => !door.test(path))).toEqual([]);
    expect(importers).not.toEqual([]);
  });
});

describe('the modules of src', () => {
  it('leave the exit code to main.ts', () => {
    const setters = modules
      .filter(({ text }) => /process\.exitCode|process\.exit\(/.test(text))
      .map(({ path }) => path);
    // The second Ctrl-C ends the process at once, which nothing but the signal handler can do.
    expect(setters.sort()).toEqual(['lifecycle/signals.ts', 'main.ts']);
  });

  it('leave the screen to renderers', () => {
    const writers = modules
      .filter(({ text }) => /\bconsole\.(log|error|warn|info|debug)|process\.(stdout|stderr)\.write/.test(text))
      .map(({ path }) => path);
    expect(writers).toEqual([]);
  });

  it('are at most 300 lines, but for those that say why', () => {
    const long = modules.filter(({ text }) => text.split('\n').length > 301 && !text.includes('Longer than 300 lines'));
    expect(long.map(({ path }) => path)).toEqual([]);
  });

  it('name no test double, no default export and no distribution by its id', () => {
    const wrong = modules.filter(({ text }) => /export default|distro\.id ===|@ts-ignore|@ts-expect-error/.test(text));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });
});
