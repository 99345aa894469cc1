import { describe, expect, it } from 'vitest';
import type { AnswerFiles } from '../../../src/answer-file/writer.ts';
import { writers } from '../../../src/answer-file/writers.ts';
import { listDistroIds } from '../../../src/distro/catalogue.ts';
import { answerRun, planForDistro } from './answer-inputs.ts';

const key = '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEexample\n-----END PGP PUBLIC KEY BLOCK-----\n';

/** What each distro is asked for: see fixtures/golden/README.md. */
const cases = {
  default: {},
  uefi: { firmware: 'uefi' },
  separate: { disk: { layout: 'separate', filesystem: 'xfs', size: '20GiB' } },
  lvm: { disk: { layout: 'lvm', size: '20GiB', swap: '1GiB' } },
  network: {
    hostname: 'web',
    locale: 'de_DE.UTF-8',
    keyboard: 'de(nodeadkeys)',
    timezone: 'Europe/Berlin',
    network: { address: '192.0.2.10/24', gateway: '192.0.2.1', nameservers: ['192.0.2.53'], search: ['example.org'] },
    ntp: ['ntp.example.org'],
    proxy: 'http://proxy.example.org:3128',
    mirror: 'http://mirror.example.org/distribution',
    repositories: [{ name: 'more', url: 'https://repo.example.org/more', key }],
    packages: ['curl'],
    kernelArguments: ['net.ifnames=0'],
  },
};

const ids = await listDistroIds();

async function render(id: string, settings: object): Promise<AnswerFiles> {
  const plan = await planForDistro(id, settings);
  const writer = writers[plan.distro.family];
  const files = writer.render(plan, answerRun, await writer.loadTemplates());
  return { ...files, 'kernel-arguments': `${writer.kernelArguments(plan, answerRun, []).join('\n')}\n` };
}

describe('the answer files', () => {
  for (const id of ids) {
    it.each(Object.keys(cases) as (keyof typeof cases)[])(`of ${id} are as they were: %s`, async (name) => {
      const files = await render(id, cases[name]);
      const plain = name === 'default' ? {} : await render(id, cases.default);
      for (const [file, text] of Object.entries(files)) {
        // What the case does not touch is in the folder of the default.
        if (plain[file] === text) continue;
        await expect(text).toMatchFileSnapshot(`../../../fixtures/golden/${id}/${name}/${file}`);
      }
    });
  }
});
