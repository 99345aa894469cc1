import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fillOwnAnswer, loadAnswer } from '../../../src/answer-file/load-answer.ts';
import { answerRun, planForDistro } from './answer-inputs.ts';

describe("the user's own answer file", () => {
  it("takes the place of kvmimg's, with the build's names filled in and others as they are", async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kvmimg-own-answer-'));
    const path = join(folder, 'own.cfg');
    const text = 'd-i preseed/early_command string wget {{callbackUrl}}/early\n# {{ds.meta_data}} {{unknown}} $1 $&\n';
    await writeFile(path, text);
    const plan = {
      ...(await planForDistro('debian-13', { answerFile: 'own.cfg' })),
      sources: [{ source: 'own.cfg', path, sha256: '', sizeBytes: 1 }],
    };
    const { files, kernelArguments } = await loadAnswer(plan, answerRun, []);
    expect(files['preseed.cfg']).toBe(text.replace('{{callbackUrl}}', 'http://10.0.2.2:1234/token/callback'));
    expect(files['late.sh']).toContain('late');
    expect(kernelArguments).toContain('url=http://10.0.2.2:1234/token/seed/preseed.cfg');
    await rm(folder, { recursive: true });
  });

  it('can make the user and the host key that the build needs', () => {
    const text = '{{buildUser}} {{buildUserKey}}\n{{hostPrivateKey}}\n{{hostPublicKey}} {{diskSerial}} {{syslogPort}}';
    expect(fillOwnAnswer(text, answerRun)).toBe(
      'kvmimg-build ssh-ed25519 AAAAbuild\n-----BEGIN KEY-----\nabc\n-----END KEY-----\nssh-ed25519 AAAAhost kvmimg-root 5514',
    );
  });
});
