import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { fillYamlTemplate } from '../../src/answer-file/yaml-template.ts';
import { packageRoot } from '../../src/package-root.ts';
import { run } from '../../src/process/run.ts';

const golden = join(packageRoot, 'fixtures', 'golden');
const answers: string[] = [];
for (const id of await readdir(golden)) {
  if (!id.startsWith('ubuntu-')) continue;
  answers.push(...(await readdir(join(golden, id))).map((name) => join(id, name)));
}

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kvmimg-cloud-init-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** What cloud-init's own validator says, and whether it is content. Deprecated keys make it unhappy too. */
async function validate(text: string): Promise<{ readonly exitCode: number; readonly said: string }> {
  const path = join(dir, 'config.yaml');
  await writeFile(path, text);
  const { exitCode, stdout, stderr } = await run('cloud-init', ['schema', '--config-file', path], {
    okExitCodes: [0, 1],
  });
  return { exitCode, said: `${stdout}${stderr}` };
}

const valid = { exitCode: 0, said: expect.stringMatching(/^Valid (cloud-config|schema)(?!.*deprecat)/s) };

describe("cloud-init's schema", () => {
  it('is held by fifteen answer files of Ubuntu', () => {
    expect(answers).toHaveLength(15);
  });

  describe.each(answers)('%s', (name) => {
    it('is held by the answer file, and by what it embeds for the first boot', async () => {
      const text = await readFile(join(golden, name, 'user-data'), 'utf8');
      expect(await validate(text)).toEqual(valid);
      const { autoinstall } = parse(text) as { autoinstall: { 'user-data': unknown } };
      expect(await validate(`#cloud-config\n${stringify(autoinstall['user-data'])}`)).toEqual(valid);
    });
  });

  it('is held by vendor-data', async () => {
    expect(await validate(await readFile(join(packageRoot, 'autoinstall', 'vendor-data.yaml'), 'utf8'))).toEqual(valid);
  });

  it('is not held by just anything', async () => {
    expect(await validate('#cloud-config\npreserve_hostname: [1]\n')).toMatchObject({ exitCode: 1 });
  });
});

const readWithPyYaml = 'import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1], "rb")), sys.stdout)';

describe('PyYAML, which cloud-init and subiquity read with', () => {
  it('reads every value as it was put in', async () => {
    const values = [
      ...[
        'yes',
        'no',
        'on',
        '~',
        'null',
        '010',
        '0x1f',
        '1e3',
        '12:30:45',
        '2026-01-01',
        '1_000',
        '.inf',
        '=',
        '<<',
        '',
      ],
      ...["it's", 'say "hi"', '#a # b', '$HOME', 'a\\nb\\', '- a', '{a: [b]}', '&a *b !c', '%YAML 1.1', 'a: b', ' a '],
      ...[
        'a\nb\n',
        '\n',
        '\n a\n',
        'a\r\nb',
        'a\n   \nb',
        'a\n\n\n',
        '  a\nb',
        '---\na\n...\n',
        '\ta\n\tb\n',
        '%end\n%end',
      ],
      ...[
        '\ufeffa',
        'a\u2028b\u2029c',
        'a\u0085b',
        '\u0000\u0001\u007f\u0080\u009f',
        'Grüße 日本 🎉',
        'x y'.repeat(100),
      ],
    ];
    const path = join(dir, 'values.yaml');
    const template = "values: '{{values}}'\nwithin:\n  first: 'a {{first}} b'\n";
    const first = values.join('|');
    await writeFile(
      path,
      fillYamlTemplate(template, { values: [...values, ...values.map((value) => ({ value }))], first }),
    );
    const { stdout } = await run('python3', ['-c', readWithPyYaml, path]);
    expect(JSON.parse(stdout)).toEqual({
      values: [...values, ...values.map((value) => ({ value }))],
      within: { first: `a ${first} b` },
    });
  });
});
