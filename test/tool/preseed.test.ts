import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../../src/process/run.ts';

const golden = 'fixtures/golden';
const files = readdirSync(golden)
  .filter((name) => name.startsWith('debian-'))
  .flatMap((distro) => readdirSync(join(golden, distro)).map((name) => join(golden, distro, name, 'preseed.cfg')))
  .filter((path) => existsSync(path));

/** The questions that debconf takes an answer to from these lines. */
async function readQuestions(text: string): Promise<string[]> {
  const { stderr } = await run('debconf-set-selections', ['--checkonly', '--verbose'], { input: text });
  expect(stderr).not.toMatch(/^(warning|error)/m);
  return [...stderr.matchAll(/^info: Loading answer for '(.+)'$/gm)].map(([, name = '']) => name);
}

describe('the answer files of Debian, as debconf reads them', () => {
  it('are there', () => {
    expect(files.length).toBeGreaterThan(5);
  });

  it.each(files)('%s answers each of its questions', async (path) => {
    const text = readFileSync(path, 'utf8');
    const names = [...text.matchAll(/^[a-z]\S+ (\S+\/\S+) /gm)].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThan(40);
    expect(await readQuestions(text)).toEqual(names);
  });

  it('and refuses what is none', async () => {
    await expect(readQuestions('d-i netcfg/get_hostname\n')).rejects.toMatchObject({ code: 'program-failed' });
  });
});
