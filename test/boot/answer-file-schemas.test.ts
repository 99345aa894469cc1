import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/package-root.ts';
import { run } from '../../src/process/run.ts';

// python3-jsonschema comes with cloud-init; it is what subiquity validates with.
const program = `
import json, sys, jsonschema, yaml
with open(sys.argv[1]) as file: schema = json.load(file)
jsonschema.Draft7Validator.check_schema(schema)
with open(sys.argv[2]) as file: answer = yaml.safe_load(file)
for error in jsonschema.Draft7Validator(schema).iter_errors(answer): print(list(error.absolute_path), error.message)
`;

const golden = join(packageRoot, 'fixtures', 'golden');
const schemas = join(packageRoot, 'docs', 'answer-files');
const ids = (await readdir(schemas)).map((name) => name.replace('.schema.json', ''));

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kvmimg-schemas-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function answerPath(id: string, kind: string): string {
  return join(golden, id, kind, id.startsWith('photon') ? 'ks.json' : 'user-data');
}

/** What is wrong with an answer file by the JSON Schema of its distro; empty when nothing is. */
async function validate(id: string, path: string): Promise<string> {
  return (await run('python3', ['-c', program, join(schemas, `${id}.schema.json`), path])).stdout;
}

describe('the JSON Schemas of answer files', () => {
  it('are there for every release of Ubuntu and of Photon', () => {
    expect(ids.sort()).toEqual(['photon-5', 'ubuntu-2204', 'ubuntu-2404', 'ubuntu-2604']);
  });

  it.each(ids)('are held by the golden files of %s', async (id) => {
    for (const kind of await readdir(join(golden, id))) expect(await validate(id, answerPath(id, kind))).toBe('');
  });

  it.each([
    ['ubuntu-2204', 'shutdown: poweroff', 'shutdown: halt', 'shutdown'],
    ['ubuntu-2204', 'updates: security', 'oem: {install: false}', 'oem'],
    ['ubuntu-2404', 'flag: bios_grub', 'flag: bios-grub', 'config'],
    ['ubuntu-2604', 'size: "128M"', 'size: "128MB"', 'config'],
    ['photon-5', '"bootmode"', '"boot_mode"', 'boot_mode'],
    ['photon-5', '"filesystem": "vfat"', '"filesystem": "ext4"', 'filesystem'],
    ['photon-5', '"mountpoint": "/",', '"mountpoint": "/srv",', 'partitions'],
  ])('refuse what the installer of %s would: %s changed to %s', async (id, text, wrong, place) => {
    const path = join(dir, 'answer');
    const right = await readFile(answerPath(id, 'default'), 'utf8');
    expect(right).toContain(text);
    await writeFile(path, right.replace(text, wrong));
    expect(await validate(id, path)).toContain(place);
  });
});
